import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import {
  aware,
  keysOf,
  openPair,
  type Pair,
  type PairRequest,
  seconds,
  setForm,
  unaware,
} from '../support/pair.ts';
import { issuer, startOfTime } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await openPair();
});
afterAll(async () => pair.server.stop());
const both = () => ({
  cnf: { jkt: pair.appKey.jkt },
  alt_cnf: [{ client_id: 'backend', cnf: { jkt: pair.backendKey.jkt } }],
});
const asked = async (request?: PairRequest) => keysOf(await pair.ask(request));
const withProof = async (claims: object, header: object = {}) =>
  asked({ reqAltCnf: [{ proof: await pair.cnfProof(claims, header) }] });
const registered = [{ client_id: 'backend', cnf: { kid: 'be-1' } }];

describe('req_alt_cnf with a fresh cnf-proof', () => {
  it('token and response name both keys, and the lifetime is capped', async () => {
    const answer = await pair.ask();
    expect(keysOf(answer)).toEqual(both());
    expect(answer.body).toMatchObject({
      token_type: 'DPoP',
      alt_cnf: both().alt_cnf,
      expires_in: 300,
    });
  });
  it('without req_alt_cnf the token has one key and its ordinary lifetime', async () => {
    const answer = await pair.ask({ form: { req_alt_cnf: undefined } });
    expect(keysOf(answer)).toEqual({ cnf: { jkt: pair.appKey.jkt } });
    expect(answer.body).toMatchObject({ expires_in: 600 });
    expect(answer.body.alt_cnf).toBeUndefined();
  });
  it('a resource server registered for jwks gets a set inside cnf, and no alt_cnf', async () => {
    const answer = await pair.ask({ form: { resource: setForm } });
    const named = ({ jwk, jkt }: { jwk: object; jkt: string }, client_id: string) => ({
      ...jwk,
      kid: jkt,
      client_id,
    });
    expect(keysOf(answer)).toEqual({
      cnf: { jwks: { keys: [named(pair.appKey, 'app'), named(pair.backendKey, 'backend')] } },
    });
    expect(answer.body).toMatchObject({
      token_type: 'PoP',
      cnf: decodeJwt(answer.body.access_token)['cnf'],
    });
    expect(keysOf(await pair.ask({ form: { resource: setForm, req_alt_cnf: undefined } }))).toEqual(
      { cnf: { jkt: pair.appKey.jkt } },
    );
  });
  it('an audience that is not registered as knowing alt_cnf: unsupported_pop_key', async () => {
    expect(await asked({ form: { resource: unaware } })).toBe('400 unsupported_pop_key');
  });
  it('two holders beside the app, three keys in one token', async () => {
    const printer = await pair.cnfProof({ iss: 'printer' }, {}, pair.thiefKey);
    expect(
      await asked({ reqAltCnf: [{ proof: await pair.cnfProof() }, { proof: printer }] }),
    ).toMatchObject({
      alt_cnf: [
        { client_id: 'backend' },
        { client_id: 'printer', cnf: { jkt: pair.thiefKey.jkt } },
      ],
    });
  });
  it('all or nothing: one bad proof of two refuses the request, and the good one can be used again', async () => {
    const good = await pair.cnfProof();
    const bad = await pair.cnfProof({ iss: 'printer' });
    expect(await asked({ reqAltCnf: [{ proof: good }, { proof: bad }] })).toBe(
      '400 failed_pop_verification',
    );
    expect(await asked({ reqAltCnf: [{ proof: good }] })).toEqual(both());
  });

  it.each<[string, object]>([
    ['resource covers the audience', { resource: ['https://other.example', aware] }],
    ['scope covers the request', { scope: 'read write admin' }],
    ['a clock 30 s ahead', { iat: seconds + 29, exp: seconds + 100 }],
    ['just expired, within the skew', { iat: seconds - 100, exp: seconds - 29 }],
    ['consent in the future', { consent_exp: seconds + 1 }],
  ])('takes a proof: %s', async (_, claims) => expect(await withProof(claims)).toEqual(both()));

  it.each<[string, object, object?]>([
    ['with sub', { sub: 'backend' }],
    ['typ dpop+jwt', {}, { typ: 'dpop+jwt' }],
    ['typ client-authentication+jwt', {}, { typ: 'client-authentication+jwt' }],
    ['typ left out', {}, { typ: undefined }],
    ['with a jwk in the header', {}, { jwk: { kty: 'EC' } }],
    ['with a jku in the header', {}, { jku: 'https://evil.example' }],
    ['kid left out', {}, { kid: undefined }],
    ['kid of nobody', {}, { kid: 'nobody' }],
    ['iss left out', { iss: undefined }],
    ['aud of another server', { aud: 'https://other.example' }],
    ['aud as a list', { aud: [issuer] }],
    ['made for another client', { client_id: 'thief' }],
    ['client_id left out', { client_id: undefined }],
    ['cnf left out', { cnf: undefined }],
    ['cnf of another key', { cnf: { jkt: 'x'.repeat(43) } }],
    ['cnf with two members', { cnf: { jkt: 'x'.repeat(43), kid: 'a' } }],
    [
      'thumbprint of the key in the place of a certificate',
      { cnf: { 'x5t#S256': 'x'.repeat(43) } },
    ],
    ['a method that does not exist', { cnf_method: 'jwe' }],
    ['a certificate that is not registered', { cnf_method: 'x5t#S256' }],
    ['exp left out', { exp: undefined }],
    ['iat left out', { iat: undefined }],
    ['expired', { iat: seconds - 200, exp: seconds - 31 }],
    ['from the future', { iat: seconds + 31, exp: seconds + 100 }],
    ['longer than 300 s', { exp: seconds + 301 }],
    ['exp before iat', { exp: seconds - 1 }],
    ['jti left out', { jti: undefined }],
    ['jti empty', { jti: '' }],
    ['for another resource', { resource: [unaware] }],
    ['resource as text', { resource: aware }],
    ['for less scope than requested', { scope: 'read' }],
    ['consent that has ended', { consent_exp: seconds }],
  ])('failed_pop_verification: %s', async (_, claims, header) => {
    const answer = await pair.ask({ reqAltCnf: [{ proof: await pair.cnfProof(claims, header) }] });
    expect([keysOf(answer), answer.body.error_description]).toEqual([
      '400 failed_pop_verification',
      'proof for an additional key is invalid or not made for this request',
    ]);
  });

  it.each<[string, unknown]>([
    ['not JSON', 'proof'],
    ['an object', { proof: 'x' }],
    ['empty', []],
    ['closed early', '[],"more":[]'],
    ['a member twice', '[{"proof":"a","proof":"b"}]'],
    ['an element of another form', [{ client_id: 'backend', cnf: { jkt: 'x'.repeat(43) } }]],
    ['a private key', [{ client_id: 'backend', cnf: { jwk: { kty: 'EC', d: 'x' } } }]],
    ['both forms at once', [{ proof: 'x', client_id: 'backend', cnf: { kid: 'be-1' } }]],
    ['null', [null]],
    ['four holders', Array.from({ length: 4 }, () => ({ proof: 'x' }))],
    ['the requester as holder', [{ client_id: 'app', cnf: { kid: 'be-1' } }]],
  ])('invalid_request: %s', async (_, reqAltCnf) =>
    expect(await asked({ reqAltCnf })).toBe('400 invalid_request'),
  );

  it('refuses the same holder twice, and the same key as the requester or as another holder', async () => {
    const twice = [{ proof: await pair.cnfProof() }, { proof: await pair.cnfProof() }];
    expect(await asked({ reqAltCnf: twice })).toBe('400 invalid_request');
    const own = [{ proof: await pair.cnfProof({ cnf: { jkt: pair.backendKey.jkt } }) }];
    expect(await asked({ key: pair.backendKey, reqAltCnf: own })).toBe('400 invalid_request');
  });
  it('where the server demands nonces, the proof of the holder needs a current one too', async () => {
    await pair.server.admin('PATCH', 'clients/app', { dpop_nonce_required: true });
    const first = await pair.ask();
    const nonce = first.headers.get('dpop-nonce') ?? '';
    expect(keysOf(first)).toBe('400 use_dpop_nonce');
    const proof = await pair.cnfProof();
    const stale = await pair.ask({
      dpop: await pair.appKey.proof({ nonce }),
      reqAltCnf: [{ proof }],
    });
    expect([keysOf(stale), stale.headers.get('dpop-nonce')]).toEqual(['400 use_dpop_nonce', nonce]);
    const reqAltCnf = [{ proof: await pair.cnfProof({ nonce }) }];
    expect(await asked({ dpop: await pair.appKey.proof({ nonce }), reqAltCnf })).toEqual(both());
    await pair.server.admin('PATCH', 'clients/app', { dpop_nonce_required: null });
  });
  it('the log names the reason that the answer hides', async () => {
    await withProof({ aud: 'x' });
    expect(JSON.stringify(pair.server.logs)).toContain('cnf_proof_aud_mismatch');
  });
});

describe('req_alt_cnf with a registered key', () => {
  it('is refused while only published, taken once seen proven, and refused again after 90 days', async () => {
    const other = await openPair();
    const ask = async () => keysOf(await other.ask({ reqAltCnf: registered }));
    expect(await ask()).toBe('400 failed_pop_verification');
    expect((await other.backendSignsIn()).status).toBe(200);
    expect(await ask()).toMatchObject({
      alt_cnf: [{ client_id: 'backend', cnf: { jkt: other.backendKey.jkt } }],
    });
    other.server.clock.now = startOfTime + 90 * 86_400_000 + 1000;
    expect(await ask()).toBe('400 failed_pop_verification');
    await other.server.stop();
  });
  it('needs a registered kid', async () => {
    expect(await asked({ reqAltCnf: [{ client_id: 'backend', cnf: { kid: 'none' } }] })).toBe(
      '400 unsupported_pop_key',
    );
  });
});

describe('req_alt_cnf: unauthorized_client unless operator, requester and holder allow it', () => {
  const patch = (client: string, body: object) =>
    pair.server.admin('PATCH', `clients/${client}`, body);
  it.each<[string, string, object, object, readonly unknown[] | undefined]>([
    [
      'the requester lists no holders',
      'app',
      { alt_cnf_holders: null },
      { alt_cnf_holders: ['backend', 'printer', 'unpaired'] },
      undefined,
    ],
    [
      'the requester lists others',
      'app',
      { alt_cnf_holders: ['printer'] },
      { alt_cnf_holders: ['backend', 'printer', 'unpaired'] },
      undefined,
    ],
    [
      'the holder lists other requesters',
      'backend',
      { alt_cnf_requesters: ['thief'] },
      { alt_cnf_requesters: ['app'] },
      undefined,
    ],
    ['the holder is disabled', 'backend', { disabled: true }, { disabled: false }, undefined],
    [
      'registered key: the holder lists no requesters',
      'backend',
      { alt_cnf_requesters: null },
      { alt_cnf_requesters: ['app'] },
      registered,
    ],
    [
      'registered key: not switched on',
      'backend',
      { alt_cnf_registered_key: false },
      { alt_cnf_registered_key: true },
      registered,
    ],
  ])('%s', async (_, client, change, back, reqAltCnf) => {
    await pair.backendSignsIn();
    expect((await patch(client, change)).status).toBe(200);
    expect(await asked(reqAltCnf === undefined ? {} : { reqAltCnf })).toBe(
      '400 unauthorized_client',
    );
    await patch(client, back);
    expect(await asked(reqAltCnf === undefined ? {} : { reqAltCnf })).toEqual(both());
  });
  it('no pairing', async () => {
    const proof = await pair.cnfProof({ iss: 'unpaired' }, {}, pair.thiefKey);
    expect(await asked({ reqAltCnf: [{ proof }] })).toBe('400 unauthorized_client');
  });
  it('a pairing for proofs only does not let a registered key in', async () => {
    await patch('printer', { alt_cnf_requesters: ['app'], alt_cnf_registered_key: true });
    expect(await asked({ reqAltCnf: [{ client_id: 'printer', cnf: { kid: 'be-1' } }] })).toBe(
      '400 failed_pop_verification',
    );
  });
  it('limits of the pairing: audience and scope', async () => {
    const limited = await pair.server.admin('POST', 'pairings', {
      requester: 'app',
      holder: 'unpaired',
      scope: 'read',
      resources: [aware],
    });
    const ask = async (form: object) =>
      asked({
        form: { ...form },
        reqAltCnf: [{ proof: await pair.cnfProof({ iss: 'unpaired' }, {}, pair.thiefKey) }],
      });
    expect(await ask({ scope: 'read' })).toMatchObject({ alt_cnf: [{ client_id: 'unpaired' }] });
    expect(await ask({ scope: 'read write' })).toBe('400 unauthorized_client');
    expect(await ask({ scope: 'read', resource: setForm })).toBe('400 unauthorized_client');
    await pair.server.admin('DELETE', `pairings/${limited.body.id}`);
    expect(await ask({ scope: 'read' })).toBe('400 unauthorized_client');
  });
});

describe('D10: proofs in the wrong hands', () => {
  it('a stolen proof serves neither another client nor another key', async () => {
    const proof = await pair.cnfProof();
    await pair.server.admin('POST', 'pairings', {
      requester: 'thief',
      holder: 'backend',
      mode: 'proof',
      first_party: false,
    });
    await pair.server.admin('PATCH', 'clients/backend', { alt_cnf_requesters: ['app', 'thief'] });
    expect(await asked({ client: 'thief', key: pair.thiefKey, reqAltCnf: [{ proof }] })).toBe(
      '400 failed_pop_verification',
    );
    expect(await asked({ key: pair.thiefKey, reqAltCnf: [{ proof }] })).toBe(
      '400 failed_pop_verification',
    );
    expect(await asked({ reqAltCnf: [{ proof }] })).toEqual(both());
  });
  it('a cnf-proof is no client assertion and no DPoP proof; those are no cnf-proof', async () => {
    const proof = await pair.cnfProof();
    const assertion = await pair.backendKey.assertion('backend', {}, { kid: 'be-1' });
    const bearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    const form = {
      grant_type: 'client_credentials',
      client_assertion_type: bearer,
      client_assertion: proof,
    };
    expect(
      keysOf(await pair.server.post('/token', form, { dpop: await pair.backendKey.proof() })),
    ).toBe('401 invalid_client');
    expect(await asked({ dpop: proof })).toBe('400 invalid_dpop_proof');
    for (const other of [assertion, await pair.backendKey.proof()])
      expect(await asked({ reqAltCnf: [{ proof: other }] })).toBe('400 failed_pop_verification');
  });
  it('a kid of another client is another key', async () => {
    const proof = await pair.cnfProof({}, {}, pair.thiefKey);
    expect(await asked({ reqAltCnf: [{ proof }] })).toBe('400 failed_pop_verification');
  });
  it('refuses two DPoP headers, joined ones, and a proof with a private key', async () => {
    const [a, b] = [await pair.appKey.proof(), await pair.appKey.proof()];
    expect(await asked({ dpop: `${a}, ${b}` })).toBe('400 invalid_dpop_proof');
    const jwk = { ...pair.appKey.jwk, d: 'AAAA' };
    expect(await asked({ dpop: await pair.appKey.proof({}, { jwk }) })).toBe(
      '400 invalid_dpop_proof',
    );
  });
  it('RFC 7518 §6: symmetric and key-agreement keys cannot be registered for a holder', async () => {
    const { jwk } = await testKey();
    for (const key of [
      { kty: 'oct', k: 'AAAA' },
      { ...jwk, use: 'enc' },
    ]) {
      const answer = await pair.server.admin('POST', 'clients', {
        client_id: 'x',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [key] },
      });
      expect(answer.status).toBe(400);
    }
  });
});

describe.each(storeKinds)('a cnf-proof counts once, on $name', (kind) => {
  it('of parallel requests with one cnf-proof exactly one gets a token; a later one none', async () => {
    const other = await openPair({ kind });
    const reqAltCnf = [{ proof: await other.cnfProof() }];
    const outcomes = (
      await Promise.all(Array.from({ length: 10 }, () => other.ask({ reqAltCnf })))
    ).map(keysOf);
    expect(outcomes.filter((outcome) => typeof outcome === 'object')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === '400 failed_pop_verification')).toHaveLength(9);
    other.server.clock.now += 100_000;
    expect(keysOf(await other.ask({ reqAltCnf }))).toBe('400 failed_pop_verification');
    await other.server.stop();
  });
});
