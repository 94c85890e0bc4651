import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { type TestKey, testKey } from '../support/keys.ts';
import { type ProcessOptions, type ServerProcess, startProcess } from '../support/process.ts';
import { adminToken, basic, formBody } from '../support/server.ts';

const secret = 's'.repeat(32);
const audience = 'https://rs.example.com';

/** One replica of an issuer, as its clients, resource servers and operator use it. */
export interface Replica {
  readonly name: string;
  readonly process: ServerProcess;
  /** A token request of the client; the proof is fresh unless given. */
  ask(clientId?: string, dpop?: string): Promise<Answer>;
  /** Whether a resource server may accept the token: by introspection, and by the JWK Set. */
  verify(token: string): Promise<Verdict>;
  revoke(token: string): Promise<number>;
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** An answer with its JSON. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What one replica says of a token. */
export interface Verdict {
  readonly active: boolean;
  readonly jkt: string | undefined;
  readonly signature: boolean;
  /** The answer to the introspection. */
  readonly answer: Answer;
}

/** The registrations that all replicas share, and the key of the client. */
export interface Deployment {
  readonly key: TestKey;
  readonly env: Readonly<Record<string, string>>;
}

/** One issuer on a database. */
export async function deployment(env: Readonly<Record<string, string>>, port: number) {
  const key = await testKey();
  const issuer = `http://127.0.0.1:${port}`;
  // While it stops, a front door sends requests for a moment more.
  return { key, env: { ...env, ISSUER: issuer, SHUTDOWN_DELAY_MS: '500' } };
}

/** Makes what the clients of a deployment need. */
export async function register({ admin }: Replica): Promise<void> {
  await admin('POST', 'resource-servers', { audience, client_id: 'api', client_secret: secret });
  await admin('POST', 'clients', { client_id: 'app', client_secret: secret });
}

/** A fresh proof for the token endpoint of the deployment. */
export async function freshProof({ key, env }: Deployment): Promise<string> {
  return key.proof({ iat: Math.floor(Date.now() / 1000), htu: `${env['ISSUER']}/token` });
}

/** Starts one replica of the deployment; `options` name the release, this one unless given. */
export async function startReplica(
  name: string,
  { key, env }: Deployment,
  address: { port: number; adminPort: number },
  options?: ProcessOptions,
): Promise<Replica> {
  const process = await startProcess(env, address, options);
  const post = async (path: string, clientId: string, form: Record<string, string>, dpop = '') =>
    answerOf(`${process.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: basic(clientId, secret),
        'content-type': 'application/x-www-form-urlencoded',
        ...(dpop !== '' && { dpop }),
      },
      body: formBody(form),
    });
  return {
    name,
    process,
    ask: async (clientId = 'app', dpop) => {
      const form = { grant_type: 'client_credentials', resource: audience };
      return dpop === undefined
        ? untilAnswered(async () => post('/token', clientId, form, await freshProof({ key, env })))
        : post('/token', clientId, form, dpop);
    },
    async verify(token) {
      const answer = await untilAnswered(async () => post('/introspect', 'api', { token }));
      const { status, body } = answer;
      const jwks = (await (await fetch(`${process.url}/jwks`)).json()) as JSONWebKeySet;
      const signature = await jwtVerify(token, createLocalJWKSet(jwks), { audience }).then(
        () => true,
        () => false,
      );
      const active = status === 200 && body['active'] === true;
      return { active, jkt: (body['cnf'] as { jkt?: string } | undefined)?.jkt, signature, answer };
    },
    revoke: async (token) => (await post('/revoke', 'app', { token })).status,
    admin: async (method, path, body) =>
      answerOf(`${process.adminUrl}/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}

/**
 * A busy machine answers a request with 503, before its client gives up: the client asks again. A
 * replica that an upgrade has broken answers so each time.
 */
async function untilAnswered(ask: () => Promise<Answer>, times = 5): Promise<Answer> {
  const answer = await ask();
  return answer.status === 503 && times > 1 ? untilAnswered(ask, times - 1) : answer;
}

async function answerOf(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    body: json ? (JSON.parse(text) as Record<string, unknown>) : { text },
  };
}
