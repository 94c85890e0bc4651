import { KeyObject, sign } from 'node:crypto';
import { decodeJwt } from 'jose';
import { type TestKey, testKey } from './keys.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';
import {
  basic,
  formBody,
  startOfTime,
  type TestServer,
  type TestServerOptions,
  testServer,
} from './server.ts';

export const seconds = startOfTime / 1000;
export const clientSecret = 's'.repeat(32);
export const audience = 'https://rs.example.com';
export const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A token request; what is left out is valid. */
export interface Asked {
  readonly method?: string;
  /** The whole form; default `grant_type=client_credentials`. */
  readonly form?: Readonly<Record<string, string | undefined>> | string;
  /** `null`: none. Default: the Basic credentials of the client `app`. */
  readonly authorization?: string | readonly string[] | null;
  /** `null`: none. Default: a fresh proof of the desk's key. */
  readonly dpop?: string | readonly string[] | null;
  readonly fields?: readonly (readonly [string, string])[];
}

/** A server with a resource server, a client `app` with a secret, a client `signer` with the desk's key, and a way to ask for tokens. */
export interface TokenEndpointFixture {
  readonly server: TestServer;
  /** The key of the DPoP proofs; also the registered key of `signer`. */
  readonly key: TestKey;
  send(asked?: Asked): Promise<RawAnswer>;
  /** The answer in short: `200 jkt`, or status and error. */
  outcome(asked?: Asked): Promise<string>;
}

/** Opens a fixture. */
export async function tokenEndpointFixture(
  options: TestServerOptions = {},
): Promise<TokenEndpointFixture> {
  const server = await testServer(options);
  const key = await testKey();
  await server.admin('POST', 'resource-servers', { audience, scopes: ['read', 'write'] });
  await server.admin('POST', 'clients', {
    client_id: 'app',
    client_secret: clientSecret,
    scope: 'read',
  });
  await server.admin('POST', 'clients', {
    client_id: 'signer',
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read',
    jwks: { keys: [{ ...key.jwk, kid: 'registered' }] },
  });
  const listed = (value: string | readonly string[] | null | undefined, standard: string) =>
    value === null ? [] : typeof value === 'object' ? value : [value ?? standard];
  const send = async ({
    method = 'POST',
    form = { grant_type: 'client_credentials' },
    authorization,
    dpop,
    fields = [],
  }: Asked = {}) =>
    rawRequest(
      `${server.url}/token`,
      method,
      [
        ...listed(authorization, basic('app', clientSecret)).map(
          (value) => ['authorization', value] as const,
        ),
        ...listed(dpop, dpop === undefined ? await key.proof() : '').map(
          (value) => ['dpop', value] as const,
        ),
        ...(fields.some(([name]) => name === 'content-type')
          ? []
          : [['content-type', 'application/x-www-form-urlencoded'] as const]),
        ...fields,
      ],
      method === 'GET' || method === 'DELETE'
        ? ''
        : typeof form === 'string'
          ? form
          : formBody(form),
    );
  return { server, key, send, outcome: async (asked) => outcomeOf(await send(asked)) };
}

/** `200` and the member of `cnf` with its thumbprint, or status and error. */
export function outcomeOf({ status, body }: RawAnswer): string {
  if (body === '') return String(status);
  const answer = JSON.parse(body) as { access_token?: string; error?: string };
  if (answer.access_token === undefined) return `${status} ${answer.error ?? ''}`.trim();
  const { jkt, ...other } = decodeJwt<{ cnf: { jkt?: string } }>(answer.access_token).cnf;
  return `${status} ${jkt ?? Object.keys(other).join(' ')}`;
}

/** A form for a client that authenticates by this assertion. */
export function assertionForm(
  assertion: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    grant_type: 'client_credentials',
    client_assertion_type: jwtBearer,
    client_assertion: assertion,
    ...more,
  };
}

const encoded = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** A compact JWS of any header and payload (strings are taken as they are), signed by ES256 or by what `signature` makes of the input. */
export function craft(
  header: unknown,
  payload: unknown,
  by: TestKey | ((input: Buffer) => Buffer),
): string {
  const input = `${encoded(header)}.${encoded(payload)}`;
  const signature =
    typeof by === 'function' ? by(Buffer.from(input)) : es256(by, Buffer.from(input));
  return `${input}.${signature.toString('base64url')}`;
}

/** An ES256 signature, `r‖s` unless DER is asked for. */
export function es256(
  { privateKey }: TestKey,
  input: Buffer,
  dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363',
): Buffer {
  const key = KeyObject.from(privateKey);
  return sign('sha256', input, { key, dsaEncoding });
}
