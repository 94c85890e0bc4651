import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { ath, aware, keysOf, openPair, type Pair, seconds } from '../support/pair.ts';
import { issuer } from '../support/server.ts';

let [pair, device, key]: [Pair, TestCertificate, TestKey] = [] as never;
beforeAll(async () => {
  pair = await openPair();
  device = await certificate({ subject: 'CN=backend' });
  key = { ...(await testKey()), privateKey: device.keys.privateKey as TestKey['privateKey'] };
  const { items } = (await pair.server.admin('GET', 'resource-servers')).body;
  const { id } = items.find(({ audience }: { audience: string }) => audience === aware);
  await pair.server.admin('PATCH', `resource-servers/${id}`, {
    cnf_methods_supported: ['jkt', 'x5t#S256'],
  });
  const x5c = [device.der.toString('base64')];
  await pair.server.admin('PATCH', 'clients/backend', {
    jwks: { keys: [{ ...device.jwk, kid: 'be-1', x5c }] },
  });
});
afterAll(async () => pair.server.stop());

const proof = async (claims: object = {}) => {
  return new SignJWT({
    iss: 'backend',
    aud: issuer,
    client_id: 'app',
    cnf: { jkt: pair.appKey.jkt },
    jti: randomJti(),
    iat: seconds,
    exp: seconds + 60,
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'cnf-proof+jwt', kid: 'be-1' })
    .sign(key.privateKey);
};

it('alt_cnf: the app presents a token by DPoP, its server the same one by mutual TLS; neither thumbprint passes for the other', async () => {
  const answer = await pair.ask({
    reqAltCnf: [{ proof: await proof({ cnf_method: 'x5t#S256' }) }],
  });
  const altCnf = [{ client_id: 'backend', cnf: { 'x5t#S256': device.x5tS256 } }];
  expect(keysOf(answer)).toEqual({ cnf: { jkt: pair.appKey.jkt }, alt_cnf: altCnf });
  const token = answer.body.access_token as string;
  const presented = async (form: Record<string, string>) =>
    (await pair.introspect(token, 'aware-rs', form)).body;
  expect(await presented({})).toMatchObject({ active: true, token_type: 'DPoP', alt_cnf: altCnf });
  expect((await presented({ client_certificate: device.pem })).proof).toEqual({
    valid: true,
    presenter: 'backend',
  });
  expect((await presented({ client_certificate: (await certificate()).pem })).proof).toEqual({
    valid: false,
    reason: 'key_mismatch',
  });
  const dpop = async (by: TestKey) => ({
    dpop_proof: await by.proof({ htm: 'GET', htu: aware, ath: ath(token) }),
    htm: 'GET',
    htu: aware,
  });
  expect((await presented(await dpop(pair.appKey))).proof).toEqual({
    valid: true,
    presenter: 'app',
  });
  const byDevice = await new SignJWT({
    jti: randomJti(),
    htm: 'GET',
    htu: aware,
    iat: seconds,
    ath: ath(token),
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: device.jwk as TestKey['jwk'] })
    .sign(key.privateKey);
  expect((await presented({ dpop_proof: byDevice, htm: 'GET', htu: aware })).proof).toEqual({
    valid: false,
    reason: 'key_mismatch',
  });
});

it('the holder leaves the token when its certificate is replaced', async () => {
  const answer = await pair.ask({
    reqAltCnf: [{ proof: await proof({ cnf_method: 'x5t#S256' }) }],
  });
  const next = await certificate({ subject: 'CN=next' });
  await pair.server.admin('PATCH', 'clients/backend', {
    jwks: { keys: [{ ...next.jwk, kid: 'be-1', x5c: [next.der.toString('base64')] }] },
  });
  const { body } = await pair.introspect(answer.body.access_token as string);
  expect([body.active, body.alt_cnf]).toEqual([true, undefined]);
});
