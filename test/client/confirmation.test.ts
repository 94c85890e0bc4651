import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair } from 'jose';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHolder, type Holder, type HolderOptions } from '../../packages/client/src/client.ts';
import type { ConfirmationMethod } from '../../src/domain/confirmation-methods.ts';
import { type Api, type ApiOptions, openApi } from '../support/api.ts';
import { certificate, clientAuth, type TestCertificate } from '../support/certificates.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { freePort } from '../support/ports.ts';
import { fetchFrom } from '../support/resource-server.ts';
import { testServer } from '../support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-cnf-'));
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
let server: LiveServer;
let leaf: TestCertificate;
let serverCertificate: TestCertificate;
const apis: Api[] = [];

beforeAll(async () => {
  const now = Date.now();
  const times = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const ca = await certificate({ subject: 'CN=clients', ca: true, ...times });
  leaf = await certificate({ subject: 'CN=device', issuer: ca, usages: [clientAuth], ...times });
  const names = [{ type: 'ip', value: '127.0.0.1' }] as const;
  serverCertificate = await certificate({ subject: 'CN=as', names: [...names], ...times });
  server = await liveServer({
    TLS_HOST: '127.0.0.1',
    TLS_PORT: String(await freePort()),
    TLS_CERT_FILE: file('as.pem', serverCertificate.pem),
    TLS_KEY_FILE: file('as.key', serverCertificate.keyPem),
    TLS_CLIENT_CA_FILE: file('ca.pem', ca.pem),
  });
  await server.admin('POST', 'clients', {
    client_id: 'device',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
    tls_client_certificate_bound_access_tokens: true,
    scope: 'read',
  });
});
afterAll(async () => {
  await Promise.all(apis.map(async (api) => api.close()));
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function apiThatTakes(methods: readonly string[], options: ApiOptions = {}) {
  const api = await openApi(server.issuer, options);
  apis.push(api);
  const registered = await server.admin('POST', 'resource-servers', {
    audience: api.origin,
    scopes: ['read'],
    cnf_methods_supported: methods,
  });
  expect(registered.status).toBe(201);
  return api;
}

const signer = async (resource: string, more: Partial<HolderOptions> = {}): Promise<Holder> => {
  const holder = await createHolder({
    issuer: server.issuer,
    clientId: 'signer',
    authentication: { method: 'private_key_jwt' },
    resource,
    key: { file: join(folder, 'key.json') },
    ...more,
  });
  await server.admin('POST', 'clients', {
    client_id: 'signer',
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read',
    jwks: { keys: [holder.publicJwk] },
  });
  return holder;
};

/** What the client gets by each method; one that is missing here is a type error. */
const expected: Readonly<
  Record<ConfirmationMethod, 'tested below' | { tokenType: string; member: readonly string[] }>
> = {
  jkt: { tokenType: 'DPoP', member: ['jkt'] },
  jwk: { tokenType: 'PoP', member: ['jwk'] },
  kid: { tokenType: 'PoP', member: ['kid'] },
  jku: { tokenType: 'PoP', member: ['jku', 'kid'] },
  jwe: 'tested below',
  'x5t#S256': 'tested below',
};
const rows = Object.entries(expected).flatMap(([method, row]) =>
  row === 'tested below' ? [] : [{ method, ...row }],
);

describe('a token is presented by what the answer says (RFC 9201 §3.2)', () => {
  it.each(rows)('cnf by $method', async ({ method, tokenType, member }) => {
    const api = await apiThatTakes([method]);
    const holder = await signer(api.origin);
    const token = await holder.token();
    expect(token.tokenType).toBe(tokenType);
    expect(Object.keys(decodeJwt(token.accessToken)['cnf'] as object).sort()).toEqual(member);
    const answer = await holder.fetch(`${api.origin}/reports`);
    expect(await answer.json()).toMatchObject({ presenter: 'signer', method });
  });

  it('cnf by a symmetric key: the proof is a MAC, with nonces', async () => {
    // Only an issuer that is reached by https hands out such keys in the clear.
    const behindTls = await testServer({ clock: { now: Date.now() } });
    const fetch = fetchFrom(behindTls);
    const { publicKey, privateKey } = await generateKeyPair('ECDH-ES', { extractable: true });
    const encryption = { use: 'enc', kid: 'enc-1' };
    const api = await openApi(behindTls.issuer, {
      nonceRequired: true,
      fetch,
      decryptionKeys: [{ ...(await exportJWK(privateKey)), ...encryption }],
    });
    await behindTls.admin('POST', 'resource-servers', {
      audience: api.origin,
      scopes: ['read'],
      cnf_methods_supported: ['jwe'],
      symmetric_keys_enabled: true,
      jwks: { keys: [{ ...(await exportJWK(publicKey)), ...encryption }] },
    });
    const client = { client_id: 'sensor', client_secret: 's'.repeat(32), scope: 'read' };
    await behindTls.admin('POST', 'clients', client);
    const holder = await createHolder({
      issuer: behindTls.issuer,
      clientId: 'sensor',
      clientSecret: client.client_secret,
      key: 'memory',
      resource: api.origin,
      fetch,
    });
    const answer = await holder.fetch(`${api.origin}/reports`);
    expect(await answer.json()).toMatchObject({ presenter: 'sensor', method: 'jwe' });
    expect(api.seen.length).toBe(2);
    const fields = await holder.authorize('GET', `${api.origin}/reports`);
    expect(Object.keys(fields).sort()).toEqual(['authorization', 'pop']);
    await Promise.all([api.close(), behindTls.stop()]);
  });
});

describe('a token that is bound to a certificate (RFC 8705 §3)', () => {
  const agent = () =>
    new Agent({
      connect: { cert: leaf.pem, key: leaf.keyPem, ca: serverCertificate.pem },
    });
  const through = (dispatcher: Agent) =>
    (async (input: string, init: object) =>
      undiciFetch(input, { ...init, dispatcher })) as unknown as typeof fetch;

  it.each([
    { by: 'a dispatcher', given: () => ({ dispatcher: agent() }) },
    { by: 'a fetch', given: () => ({ fetch: through(agent()) }) },
  ])('is asked for at the endpoint for mutual TLS, by $by', async ({ given }) => {
    const api = await apiThatTakes(['x5t#S256'], { certificate: () => leaf.pem });
    const options = given();
    const holder = await createHolder({
      issuer: server.issuer,
      clientId: 'device',
      authentication: { method: 'tls_client_auth' },
      certificate: leaf.pem,
      resource: api.origin,
      ...options,
    });
    expect(holder.certificateThumbprint).toBe(leaf.x5tS256);
    const answer = await holder.fetch(`${api.origin}/reports`);
    expect(await answer.json()).toMatchObject({ presenter: 'device', method: 'x5t#S256' });
    expect(api.seen[0]?.headers.authorization).toMatch(/^Bearer /);
    expect(api.seen[0]?.headers).not.toHaveProperty('dpop');
    const token = await holder.token();
    expect(decodeJwt(token.accessToken)['cnf']).toEqual({ 'x5t#S256': leaf.x5tS256 });
    const der = await createHolder({
      issuer: server.issuer,
      clientId: 'device',
      authentication: { method: 'tls_client_auth' },
      certificate: leaf.der,
    });
    expect(der.certificateThumbprint).toBe(leaf.x5tS256);
  });

  it('is never sent to another origin, nor is the certificate', async () => {
    const api = await apiThatTakes(['x5t#S256'], { certificate: () => leaf.pem });
    const holder = await createHolder({
      issuer: server.issuer,
      clientId: 'device',
      authentication: { method: 'tls_client_auth' },
      certificate: leaf.pem,
      resource: api.origin,
      dispatcher: agent(),
    });
    const to = encodeURIComponent('http://localhost:1/');
    await expect(holder.fetch(`${api.origin}/old?to=${to}`)).rejects.toMatchObject({
      code: 'redirect_refused',
    });
  });
});

it('the public key of a holder is what a registration takes, with its thumbprint', async () => {
  const holder = await signer('https://api.example.com');
  const { publicJwk } = holder;
  expect(publicJwk).toMatchObject({ alg: 'ES256', use: 'sig', kid: holder.thumbprint });
  expect(await calculateJwkThumbprint({ ...publicJwk })).toBe(holder.thumbprint);
});
