import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite } from '../support/stores.ts';

let [server, mine, other]: [TestServer, TestCertificate, TestCertificate] = [] as never;
beforeAll(async () => {
  server = await testServer();
  [mine, other] = [await certificate(), await certificate()];
});
afterAll(async () => server.stop());

const base64 = (...parts: (Uint8Array | string)[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part))).toString('base64');
/** The certificate on a curve that nobody knows. */
const unknownCurve = ({ der }: TestCertificate) => {
  const p256 = Buffer.from('06082a8648ce3d030107', 'hex');
  const changed = Buffer.from(der);
  changed[changed.indexOf(p256) + p256.length - 1] = 0x7f;
  return changed;
};

const methods = ['private_key_jwt', 'self_signed_tls_client_auth', 'client_secret_basic'] as const;
describe.each(methods)('RFC 7517 §4.7: x5c of a key of %s', (token_endpoint_auth_method) => {
  const post = async (...keys: readonly object[]) =>
    server.admin('POST', 'clients', { token_endpoint_auth_method, jwks: { keys } });

  it.each<[string, () => string[]]>([
    ['no certificate', () => ['AAAA']],
    ['the certificate of another key', () => [base64(other.der)]],
    ['the certificate of another key first', () => [base64(other.der), base64(mine.der)]],
    ['a byte after the certificate', () => [base64(mine.der, '\0')]],
    ['another certificate after the certificate', () => [base64(mine.der, other.der)]],
    ['the certificate as PEM', () => [base64(mine.pem)]],
    ['half of the certificate', () => [base64(mine.der.subarray(0, 100))]],
    ['a certificate with a key on an unknown curve', () => [base64(unknownCurve(mine))]],
  ])('%s: refused, and the member is named', async (_, x5c) => {
    const good = { ...mine.jwk, kid: 'good', x5c: [base64(mine.der)] };
    const { status, body } = await post(good, { ...mine.jwk, kid: 'bad', x5c: x5c() });
    expect([status, body.member, body.detail]).toEqual([
      400,
      'jwks.keys[1].x5c',
      'the first certificate in x5c is not for this key',
    ]);
  });
  it('its own certificate, with others behind it: taken', async () => {
    const { status } = await post(
      { ...mine.jwk, kid: 'a', x5c: [base64(mine.der), base64(other.der)] },
      { ...other.jwk, kid: 'b' },
    );
    expect(status).toBe(201);
  });
});

it('RFC 7517 §4.7: x5c of an encryption key of a resource server', async () => {
  const { jwk } = mine;
  const post = async (audience: string, x5c?: string[]) => {
    const enc = { ...jwk, use: 'enc', alg: 'ECDH-ES+A256KW', ...(x5c && { x5c }) };
    const { status, body } = await server.admin('POST', 'resource-servers', {
      audience,
      jwks: { keys: [enc] },
    });
    return [status, body.member];
  };
  expect(await post('https://a.example.com')).toEqual([201, undefined]);
  expect(await post('https://b.example.com', [base64(mine.der)])).toEqual([201, undefined]);
  expect(await post('https://c.example.com', [base64(other.der)])).toEqual([
    400,
    'jwks.keys[0].x5c',
  ]);
});

it('a merge patch brings no certificate of another key either', async () => {
  const { jwk } = await testKey();
  const { body } = await server.admin('POST', 'clients', { jwks: { keys: [jwk] } });
  const { status, body: refused } = await server.admin('PATCH', `clients/${body.client_id}`, {
    jwks: { keys: [{ ...jwk, x5c: [base64(mine.der)] }] },
  });
  expect([status, refused.member]).toEqual([400, 'jwks.keys[0].x5c']);
});

it('a certificate that an earlier version accepted does not keep the client from being disabled', async () => {
  const store = await onSqlite.make();
  const old = await testServer({ store });
  const jwks = { keys: [{ ...mine.jwk, kid: 'a' }] };
  const registration = { client_id: 'old', token_endpoint_auth_method: 'private_key_jwt', jwks };
  expect((await old.admin('POST', 'clients', registration)).status).toBe(201);
  const set = `json_set(metadata, '$.jwks.keys[0].x5c', json('["AAAA"]'))`;
  await execute(store, `update client set metadata = ${set}`);
  const { status, body } = await old.admin('PATCH', 'clients/old', { disabled: true });
  const again = await old.admin('PATCH', 'clients/old', {
    jwks: { keys: [{ ...mine.jwk, kid: 'b', x5c: ['AAAA'] }] },
  });
  expect([status, body.disabled, again.status]).toEqual([200, true, 400]);
  await old.stop();
  await store.remove();
});
