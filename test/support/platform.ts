import { randomJti, type TestKey, testKey } from './keys.ts';
import {
  type Answer,
  issuer,
  startOfTime,
  type TestServer,
  type TestServerOptions,
  testServer,
} from './server.ts';

export const audience = 'https://rs.example.com';
export const platformIssuer = 'https://platform.example.com';
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const seconds = startOfTime / 1000;

/** A server that trusts a platform, whose tokens a test makes. */
export interface Platform {
  readonly server: TestServer;
  /** The platform's signing key. */
  readonly key: TestKey;
  /** Of the trusted issuer. */
  readonly id: string;
  /** A token of the platform, fresh at the start of the test clock. */
  token(claims?: object, header?: object, by?: TestKey): Promise<string>;
  /** Adds a rule and answers its id. */
  rule(body: object): Promise<string>;
  /** A token request with `client_assertion`; a fresh proof of `by` unless one is given. */
  authenticate(token: string, options?: AskOptions): Promise<Answer>;
  /** The same with `assertion`. */
  grant(token: string, options?: AskOptions): Promise<Answer>;
  events(type: string): Promise<readonly Record<string, unknown>[]>;
}

/** How a token request differs from an ordinary one. */
export interface AskOptions {
  readonly by?: TestKey;
  /** `null`: none. */
  readonly proof?: string | null;
  readonly form?: Record<string, string | undefined>;
  readonly headers?: Record<string, string>;
  readonly server?: TestServer;
}

/** Opens a server with a resource server, a workload client `worker`, and the trusted platform. */
export async function openPlatform(
  options: TestServerOptions = {},
  members: object = {},
): Promise<Platform> {
  const server = await testServer(options);
  const [key, holder] = [await testKey(), await testKey()];
  const made = async (path: string, body: object) => {
    const answer = await server.admin('POST', path, body);
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return answer.body.id as string;
  };
  await made('resource-servers', {
    audience,
    scopes: ['read', 'write'],
    client_id: 'rs',
    client_secret: 'r'.repeat(32),
  });
  await made('clients', {
    client_id: 'worker',
    token_endpoint_auth_method: 'workload_jwt',
    scope: 'read write',
  });
  const id = await made('trusted-issuers', {
    issuer: platformIssuer,
    purposes: ['workload'],
    jwks: { keys: [{ ...key.jwk, kid: 'platform-1' }] },
    ...members,
  });
  const ask = async (
    form: Record<string, string | undefined>,
    { by = holder, proof, headers, server: at = server, form: more }: AskOptions = {},
  ) => {
    const iat = Math.floor(at.clock.now / 1000);
    const dpop = proof === undefined ? await by.proof({ iat }) : proof;
    return at.post('/token', { ...form, ...more }, { ...(dpop !== null && { dpop }), ...headers });
  };
  return {
    server,
    key,
    id,
    token: (claims = {}, header = {}, by = key) =>
      by.sign(
        {
          iss: platformIssuer,
          sub: 'system:serviceaccount:orders:worker',
          aud: issuer,
          iat: seconds,
          exp: seconds + 3600,
          jti: randomJti(),
          'kubernetes.io': { namespace: 'orders' },
          ...claims,
        },
        { kid: 'platform-1', ...header },
      ),
    rule: async (body) => made(`trusted-issuers/${id}/rules`, body),
    authenticate: async (token, options) =>
      ask(
        {
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: token,
        },
        options,
      ),
    grant: async (assertion, options) => ask({ grant_type: jwtBearerGrant, assertion }, options),
    events: async (type) =>
      (await server.admin('GET', `audit-events?limit=200&type=${type}`)).body.items,
  };
}

/** `200` and the token's subject, or status and error. */
export function shortly({ status, body }: Answer): string {
  if (status !== 200) return `${status} ${body.error}`;
  const [, payload = ''] = String(body.access_token).split('.');
  return `200 ${JSON.parse(Buffer.from(payload, 'base64url').toString()).sub}`;
}
