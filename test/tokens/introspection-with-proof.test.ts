import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { ath } from '../support/pair.ts';
import { basic, issuer } from '../support/server.ts';
import {
  assertionForm,
  clientSecret,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const url = 'https://rs.example.com/things';
const nameOf = (form: string) => form.replace(/\W+/g, '-').toLowerCase();
const audienceOf = (form: string) => `https://${nameOf(form)}.example.com`;
/** Each a resource server of its own: how it wants the keys to be named. */
const forms: Readonly<Record<string, object>> = {
  jkt: { cnf_methods_supported: ['jkt'] },
  'x5t#S256': { cnf_methods_supported: ['x5t#S256'] },
  jwk: { cnf_methods_supported: ['jwk'] },
  kid: { cnf_methods_supported: ['kid'] },
  jku: { cnf_methods_supported: ['jku'] },
  'jkt + alt_cnf by jkt': { cnf_methods_supported: ['jkt'], alt_cnf_supported: true },
  'jwk + alt_cnf by jwk': { cnf_methods_supported: ['jwk'], alt_cnf_supported: true },
  'kid + alt_cnf by jkt': { cnf_methods_supported: ['kid', 'jkt'], alt_cnf_supported: true },
  'jku + alt_cnf by jwk': { cnf_methods_supported: ['jku', 'jwk'], alt_cnf_supported: true },
  jwks: { cnf_methods_supported: ['jkt'], alt_cnf_supported: true, multi_key_form: 'jwks' },
};
const byDpop = Object.keys(forms).filter((form) => form !== 'x5t#S256');
const shared = byDpop.filter((form) => form === 'jwks' || form.includes('alt_cnf'));

/** The desk's `signer` asks for the tokens, by its key with the `kid` `registered`; `backend` has a key too, for tokens with several. */
describe('RFC 7662 with proof: whether it is by the key that the token names, whatever names it', () => {
  let fixture: TokenEndpointFixture;
  let [backendKey, device]: [TestKey, TestCertificate] = [] as never;
  beforeAll(async () => {
    fixture = await tokenEndpointFixture({
      env: { CLIENT_CERTIFICATE_HEADER: 'rfc9440', TRUSTED_PROXIES: '127.0.0.1/32' },
    });
    [backendKey, device] = [await testKey(), await certificate({ subject: 'CN=device' })];
    const { admin } = fixture.server;
    for (const [form, members] of Object.entries(forms))
      await admin('POST', 'resource-servers', {
        audience: audienceOf(form),
        client_id: nameOf(form),
        client_secret: clientSecret,
        ...members,
      });
    await admin('POST', 'clients', {
      client_id: 'device',
      client_secret: clientSecret,
      tls_client_certificate_bound_access_tokens: true,
    });
    // The `kid` is the same as the other client's: whose it is decides.
    const jwks = { keys: [{ ...backendKey.jwk, kid: 'registered' }] };
    await admin('POST', 'clients', {
      client_id: 'backend',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
      alt_cnf_requesters: ['signer'],
    });
    await admin('PATCH', 'clients/signer', { alt_cnf_holders: ['backend'] });
    await admin('POST', 'pairings', { requester: 'signer', holder: 'backend', mode: 'proof' });
  });
  beforeEach(async () => register([{ ...fixture.key.jwk, kid: 'registered' }]));
  afterAll(async () => fixture.server.stop());

  const register = async (keys: readonly object[]) => {
    const { status } = await fixture.server.admin('PATCH', 'clients/signer', { jwks: { keys } });
    expect(status).toBe(200);
  };
  const cnfProof = () => {
    const claims = {
      iss: 'backend',
      aud: issuer,
      client_id: 'signer',
      cnf: { jkt: fixture.key.jkt },
      iat: seconds,
      exp: seconds + 60,
      jti: randomJti(),
    };
    return backendKey.sign(claims, { typ: 'cnf-proof+jwt', kid: 'registered' });
  };
  const tokenFor = async (form: string): Promise<string> => {
    const resource = {
      resource: audienceOf(form),
      ...(shared.includes(form) && { req_alt_cnf: JSON.stringify([{ proof: await cnfProof() }]) }),
    };
    const { status, body } =
      form === 'x5t#S256'
        ? await fixture.server.post(
            '/token',
            { grant_type: 'client_credentials', ...resource },
            {
              authorization: basic('device', clientSecret),
              'client-cert': `:${device.der.toString('base64')}:`,
            },
          )
        : await fixture.server.post(
            '/token',
            assertionForm(await fixture.key.assertion('signer'), resource),
            { dpop: await fixture.key.proof() },
          );
    expect(status).toBe(200);
    return body.access_token as string;
  };
  const presented = async (form: string, token: string, evidence: Record<string, string>) =>
    (
      await fixture.server.post(
        '/introspect',
        { token, ...evidence },
        { authorization: basic(nameOf(form), clientSecret) },
      )
    ).body;
  const proofBy = async (key: TestKey, token: string) => ({
    dpop_proof: await key.proof({ htm: 'GET', htu: url, ath: ath(token) }),
    htm: 'GET',
    htu: url,
  });
  const verdict = async (form: string, token: string, key: TestKey) =>
    (await presented(form, token, await proofBy(key, token))).proof;
  const [mismatch, bySigner] = [
    { valid: false, reason: 'key_mismatch' },
    { valid: true, presenter: 'signer' },
  ];

  it.each(byDpop)('%s: by its own key, and by nobody else', async (form) => {
    const token = await tokenFor(form);
    const evidence = await proofBy(fixture.key, token);
    expect((await presented(form, token, evidence)).proof).toEqual(bySigner);
    expect((await presented(form, token, evidence)).proof).toEqual({
      valid: false,
      reason: 'proof_replayed',
    });
    expect(await verdict(form, token, await testKey())).toEqual(mismatch);
    // A key that is registered, under the same `kid`, but for another client.
    expect(await verdict(form, token, backendKey)).toEqual(
      shared.includes(form) ? { valid: true, presenter: 'backend' } : mismatch,
    );
    expect((await presented(form, token, { client_certificate: device.pem })).proof).toEqual(
      mismatch,
    );
  });
  it('x5t#S256: by its own certificate, and by nothing else', async () => {
    const token = await tokenFor('x5t#S256');
    expect((await presented('x5t#S256', token, { client_certificate: device.pem })).proof).toEqual({
      valid: true,
      presenter: 'device',
    });
    expect(
      (await presented('x5t#S256', token, { client_certificate: (await certificate()).pem })).proof,
    ).toEqual(mismatch);
    // Not even by the key in the certificate, for that is another kind of proof.
    const jws = await new SignJWT({
      htm: 'GET',
      htu: url,
      ath: ath(token),
      jti: randomJti(),
      iat: seconds,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: device.jwk as TestKey['jwk'] })
      .sign(device.keys.privateKey as TestKey['privateKey']);
    expect(
      (await presented('x5t#S256', token, { dpop_proof: jws, htm: 'GET', htu: url })).proof,
    ).toEqual(mismatch);
  });

  it.each(byDpop)('%s: a key that was removed confirms nothing', async (form) => {
    const token = await tokenFor(form);
    await register([{ ...(await testKey()).jwk, kid: 'registered' }]);
    expect(await presented(form, token, await proofBy(fixture.key, token))).toEqual({
      active: false,
    });
  });
  it.each(byDpop)(
    '%s: under another kid, the key is found only where the token does not name it by that',
    async (form) => {
      const token = await tokenFor(form);
      await register([{ ...fixture.key.jwk, kid: 'renamed' }]);
      const byKid = form.startsWith('kid') || form.startsWith('jku');
      expect(await verdict(form, token, fixture.key)).toEqual(byKid ? mismatch : bySigner);
      await register([{ ...fixture.key.jwk, kid: 'registered' }]);
      expect(await verdict(form, token, fixture.key)).toEqual(bySigner);
    },
  );
  it.each(['kid', 'jku'])(
    '%s: a key that got the name of the removed one later is not what the token was bound to',
    async (form) => {
      const [token, next] = [await tokenFor(form), await testKey()];
      await register([
        { ...fixture.key.jwk, kid: 'renamed' },
        { ...next.jwk, kid: 'registered' },
      ]);
      expect([await verdict(form, token, fixture.key), await verdict(form, token, next)]).toEqual([
        mismatch,
        mismatch,
      ]);
    },
  );
  it.each(['kid', 'jku'])('%s: what is encrypted to a client proves nothing', async (form) => {
    const token = await tokenFor(form);
    await register([
      { ...fixture.key.jwk, kid: 'renamed' },
      { ...(await testKey('ECDH-ES+A256KW')).jwk, use: 'enc', kid: 'registered' },
    ]);
    expect(await verdict(form, token, fixture.key)).toEqual(mismatch);
  });
});
