import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { randomJti, type TestKey, testKey } from './keys.ts';
import {
  type Answer,
  basic,
  issuer,
  startOfTime,
  type TestServer,
  type TestServerOptions,
  testServer,
} from './server.ts';

export const pairSecret = 's'.repeat(32);
/** A resource server that knows `alt_cnf`, one that does not, and one that takes the form `jwks`. */
export const [aware, unaware, setForm] = [
  'https://aware.example.com',
  'https://unaware.example.com',
  'https://set.example.com',
];

/** What a request says; the rest is the app's ordinary request with its own key. */
export interface PairRequest {
  readonly form?: Readonly<Record<string, string | undefined>>;
  /** Default: one fresh proof of the backend. */
  readonly reqAltCnf?: unknown;
  readonly key?: TestKey;
  readonly client?: string;
  readonly dpop?: string;
}

/** An app and its backend, paired; and a thief with a client and a key of its own. */
export interface Pair {
  readonly server: TestServer;
  readonly appKey: TestKey;
  readonly backendKey: TestKey;
  readonly thiefKey: TestKey;
  /** Id of the pairing of app and backend. */
  readonly pairing: string;
  /** A `cnf-proof+jwt` of the backend for the app's key; members given as `undefined` are left out. */
  cnfProof(claims?: object, header?: object, key?: TestKey): Promise<string>;
  ask(request?: PairRequest): Promise<Answer>;
  /** The backend authenticates and so proves its registered key to the server. */
  backendSignsIn(): Promise<Answer>;
  /** The backend exchanges a token (RFC 8693) with a proof by `key`. */
  backendExchanges(
    subjectToken: string,
    form?: Readonly<Record<string, string | undefined>>,
    key?: TestKey,
    proof?: object,
  ): Promise<Answer>;
  /** What a recipient hears of a token. */
  introspect(
    token: string,
    recipient?: string,
    form?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
}

const grants = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'];

/** Registers everybody on a server of its own. */
export async function openPair(options: TestServerOptions = {}): Promise<Pair> {
  const server = await testServer(options);
  const [appKey, backendKey, thiefKey] = [await testKey(), await testKey(), await testKey()];
  const scopes = ['read', 'write'];
  const recipient = (audience: string, client_id: string, more: object = {}) =>
    server.admin('POST', 'resource-servers', {
      audience,
      scopes,
      client_id,
      client_secret: pairSecret,
      ...more,
    });
  await recipient(aware, 'aware-rs', { alt_cnf_supported: true, cnf_methods_supported: ['jkt'] });
  await recipient(unaware, 'unaware-rs');
  await recipient(setForm, 'set-rs', { alt_cnf_supported: true, multi_key_form: 'jwks' });
  const secretClient = (client_id: string, more: object) =>
    server.admin('POST', 'clients', {
      client_id,
      client_secret: pairSecret,
      scope: 'read write',
      grant_types: grants,
      ...more,
    });
  const signer = (client_id: string, key: TestKey, kid: string, more: object = {}) =>
    server.admin('POST', 'clients', {
      client_id,
      token_endpoint_auth_method: 'private_key_jwt',
      scope: 'read write',
      grant_types: grants,
      jwks: { keys: [{ ...key.jwk, kid }] },
      ...more,
    });
  await secretClient('app', { alt_cnf_holders: ['backend', 'printer', 'unpaired'] });
  await secretClient('thief', { alt_cnf_holders: ['backend'] });
  await signer('backend', backendKey, 'be-1', {
    alt_cnf_requesters: ['app'],
    alt_cnf_registered_key: true,
  });
  await signer('printer', thiefKey, 'be-1');
  await signer('unpaired', thiefKey, 'be-1');
  const paired = await server.admin('POST', 'pairings', {
    requester: 'app',
    holder: 'backend',
    mode: 'registered_key',
    first_party: false,
  });
  await server.admin('POST', 'pairings', {
    requester: 'app',
    holder: 'printer',
    mode: 'proof',
    first_party: false,
  });
  const now = () => Math.floor(server.clock.now / 1000);
  const cnfProof: Pair['cnfProof'] = (claims = {}, header = {}, key = backendKey) =>
    key.sign(
      {
        iss: 'backend',
        aud: issuer,
        client_id: 'app',
        cnf: { jkt: appKey.jkt },
        iat: now(),
        exp: now() + 120,
        jti: randomJti(),
        ...claims,
      },
      { typ: 'cnf-proof+jwt', kid: 'be-1', ...header },
    );
  const signedIn = async () => ({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await backendKey.assertion('backend', { iat: now(), exp: now() + 60 }),
  });
  return {
    server,
    appKey,
    backendKey,
    thiefKey,
    pairing: paired.body.id as string,
    cnfProof,
    ask: async ({ form = {}, reqAltCnf, key = appKey, client = 'app', dpop } = {}) =>
      server.post(
        '/token',
        {
          grant_type: 'client_credentials',
          resource: aware,
          req_alt_cnf:
            typeof reqAltCnf === 'string'
              ? reqAltCnf
              : JSON.stringify(reqAltCnf ?? [{ proof: await cnfProof() }]),
          ...form,
        },
        {
          authorization: basic(client, pairSecret),
          dpop: dpop ?? (await key.proof({ iat: now() })),
        },
      ),
    backendSignsIn: async () =>
      server.post(
        '/token',
        { grant_type: 'client_credentials', resource: unaware, ...(await signedIn()) },
        { dpop: await backendKey.proof({ iat: now() }) },
      ),
    backendExchanges: async (subjectToken, form = {}, key = backendKey, proof = {}) =>
      server.post(
        '/token',
        { ...exchangeForm(subjectToken), ...(await signedIn()), ...form },
        { dpop: await key.proof({ iat: now(), ...proof }) },
      ),
    introspect: async (token, recipient = 'aware-rs', form = {}) =>
      server.post(
        '/introspect',
        { token, ...form },
        { authorization: basic(recipient, pairSecret) },
      ),
  };
}

/** The form of a token exchange for an access token. */
export function exchangeForm(subjectToken: string): Record<string, string> {
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
}

/** `ath` of a DPoP proof for this token (RFC 9449 §4.2). */
export const ath = (token: string): string =>
  createHash('sha256').update(token).digest('base64url');

/** The answer in short: status and error, or the claims that name keys. */
export function keysOf({ status, body }: Answer): unknown {
  if (status !== 200) return `${status} ${body.error}`;
  // biome-ignore lint/suspicious/noExplicitAny: what the claims are is what the tests look at.
  const { cnf, alt_cnf } = decodeJwt<any>(body.access_token);
  return { cnf, ...(alt_cnf !== undefined && { alt_cnf }) };
}

export const seconds = startOfTime / 1000;
