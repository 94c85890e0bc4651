import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';

/** What the member is registered with. */
const bodies = {
  clients: { token_endpoint_auth_method: 'private_key_jwt' },
  'trusted-issuers': { issuer: 'https://op.example.com', audience: 'app-at-op' },
};
type Path = keyof typeof bodies;
const paths = Object.keys(bodies) as Path[];
let server: TestServer;
const register = async (path: Path, jwks_uri: string) => {
  const { status, body } = await server.admin('POST', path, { ...bodies[path], jwks_uri });
  if (status === 201) await server.admin('DELETE', `${path}/${body.client_id ?? body.id}`);
  return status === 201 ? '201' : `${status} ${JSON.stringify(body).includes('jwks_uri')}`;
};

describe('a jwks_uri from which nothing is ever fetched is refused at registration, RFC 7591 §5', () => {
  beforeAll(async () => (server = await testServer()));
  afterAll(async () => server.stop());

  it.each([
    'https://127.0.0.1/jwks',
    'https://127。0。0。1/jwks',
    'https://１２７.0.0.1/jwks',
    'https://2130706433/jwks',
    'https://0x7f000001/jwks',
    'https://0x7f.1/jwks',
    'https://0177.0.0.1/jwks',
    'https://127.1/jwks',
    'https://127.0.0.1./jwks',
    'https://%31%32%37.0.0.1/jwks',
    'https://[::1]/jwks',
    'https://[::ffff:127.0.0.1]/jwks',
    'https://[::ffff:7f00:1]/jwks',
    'https://[64:ff9b::7f00:1]/jwks',
    'https://10.0.0.1:8443/jwks',
    'https://169.254.169.254/latest/meta-data',
    'https://[fe80::1]/jwks',
    'https://0/jwks',
    'https://localhost/jwks',
    'https://localhost./jwks',
    'https://LOCALHOST/jwks',
    'https://keys.localhost/jwks',
    'https://loc%61lhost/jwks',
    'https://ｌｏｃａｌｈｏｓｔ/jwks',
    'https://keys.example.com/schlüssel',
    'https://[::1/jwks',
  ])('%s', async (uri) => {
    for (const path of paths) expect([path, await register(path, uri)]).toEqual([path, '400 true']);
  });
  it.each([
    'https://keys.example.com/jwks',
    'https://keys.example.com./jwks',
    'https://xn--bcher-kva.example:8443/jwks?a=b',
    'https://8.8.8.8/jwks',
    'https://[2606:4700:4700::1111]/jwks',
    'https://localhost.example.com/jwks',
  ])('%s is taken', async (uri) => {
    for (const path of paths) expect([path, await register(path, uri)]).toEqual([path, '201']);
  });
});

describe('with JWKS_URI_ALLOW_PRIVATE_ADDRESSES', () => {
  beforeAll(async () => {
    server = await testServer({ env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  });
  afterAll(async () => server.stop());

  it.each([
    ['https://10.0.0.1/jwks', '201'],
    ['https://localhost/jwks', '201'],
    ['https://[fd00::1]/jwks', '201'],
    ['https://169.254.169.254/latest/meta-data', '400 true'],
    ['https://[::ffff:a9fe:a9fe]/latest/meta-data', '400 true'],
    ['https://0.0.0.0/jwks', '400 true'],
  ])('%s: %s', async (uri, expected) => {
    for (const path of paths) expect([path, await register(path, uri)]).toEqual([path, expected]);
  });
});
