import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestKey, testKey } from '../support/keys.ts';
import { openPlatform, type Platform, shortly } from '../support/platform.ts';
import { issuer, startOfTime } from '../support/server.ts';

const seconds = startOfTime / 1000;
let [platform, forger, rsa]: [Platform, TestKey, TestKey] = [] as never;
beforeAll(async () => {
  [forger, rsa] = [await testKey(), await testKey('RS256')];
  platform = await openPlatform({}, { max_lifetime: 7200, audience: [issuer, 'urn:example:too'] });
  const claims = { '/kubernetes.io/namespace': 'orders', sub: { prefix: 'system:' } };
  await platform.rule({ claims, client_id: 'worker' });
  await platform.rule({
    claims,
    subject: 'ns:{/kubernetes.io/namespace}',
    resources: ['https://rs.example.com'],
  });
  const { admin } = platform.server;
  await admin('POST', 'trusted-issuers', {
    issuer: 'https://op.example.com',
    audience: 'app',
    jwks: { keys: [{ ...platform.key.jwk, kid: 'platform-1' }] },
  });
});
afterAll(async () => platform.server.stop());

const good: readonly [string, object, object?][] = [
  ['an ordinary token', {}],
  ['typ JWT', {}, { typ: 'JWT' }],
  ['no kid', {}, { kid: undefined }],
  ['two audiences that are both ours', { aud: [issuer, 'urn:example:too'] }],
  ['no iat', { iat: undefined }],
];

/** What is wrong, claims, header, signer. */
const bad: readonly [string, string, object, object?, (() => TestKey)?][] = [
  ['an issuer that is not trusted', 'issuer_not_trusted', { iss: 'https://evil.example.com' }],
  ['an issuer trusted for users only', 'issuer_not_trusted', { iss: 'https://op.example.com' }],
  ['an issuer with a slash more', 'issuer_not_trusted', { iss: 'https://platform.example.com/' }],
  ['the signature of another key', 'signature_invalid', {}, {}, () => forger],
  ['an algorithm that the key does not have', 'signature_invalid', {}, {}, () => rsa],
  ['a kid that nobody has', 'signature_invalid', {}, { kid: 'other' }],
  ['a kid that is a number', 'kid_invalid', {}, { kid: 1 }],
  ['aud for somebody else', 'aud_mismatch', { aud: 'https://other.example.com' }],
  ['aud for us and somebody else', 'aud_mismatch', { aud: [issuer, 'https://other.example.com'] }],
  ['no aud', 'aud_mismatch', { aud: undefined }],
  ['an empty aud', 'aud_mismatch', { aud: [] }],
  ['an aud that is an object', 'aud_mismatch', { aud: { [issuer]: true } }],
  ['a life that is over', 'expired', { exp: seconds }],
  ['no end', 'expired', { exp: undefined }],
  ['an end that is a text', 'expired', { exp: '9999999999' }],
  ['too long a life', 'lifetime_too_long', { exp: seconds + 7201 }],
  ['too long a life without iat', 'lifetime_too_long', { iat: undefined, exp: seconds + 7201 }],
  ['too long a life that began long ago', 'lifetime_too_long', { iat: seconds - 7200 }],
  ['a beginning in the future', 'not_yet_valid', { iat: seconds + 31, exp: seconds + 60 }],
  ['nbf in the future', 'not_yet_valid', { nbf: seconds + 31 }],
  ['an iat that is a text', 'not_yet_valid', { iat: 'now' }],
  ['a logout token', 'is_event', { events: {} }],
  ['the type of an access token', 'typ_mismatch', {}, { typ: 'at+jwt' }],
  ['the type of a DPoP proof', 'typ_mismatch', {}, { typ: 'dpop+jwt' }],
  ['the type of an ID-JAG', 'typ_mismatch', {}, { typ: 'oauth-id-jag+jwt' }],
  ['a cnf that names no key', 'cnf_unknown', { cnf: {} }],
  ['a claim with another value', 'no_rule', { 'kubernetes.io': { namespace: 'other' } }],
  ['an object where a text is expected', 'no_rule', { 'kubernetes.io': { namespace: {} } }],
  ['a list where a text is expected', 'no_rule', { 'kubernetes.io': { namespace: ['orders'] } }],
  ['a claim that is missing', 'no_rule', { 'kubernetes.io': undefined }],
  ['a text where an object is expected', 'no_rule', { 'kubernetes.io': 'namespace' }],
  ['a sub that is an object', 'no_rule', { sub: { prefix: 'system:' } }],
];

/** The reason in the log of the last refusal. */
const reason = () => {
  const refused = platform.server.logs.filter((line) => 'reason' in line);
  return refused.at(-1)?.['reason'];
};

describe.each([
  { name: 'as client authentication', use: 'platform_token', refused: '401 invalid_client' },
  { name: 'as grant', use: 'grant_assertion', refused: '400 invalid_grant' },
] as const)('a platform’s token $name', ({ use, refused }) => {
  const ask = async (token: string) =>
    use === 'platform_token' ? platform.authenticate(token) : platform.grant(token);
  it.each(good)('%s is taken', async (_, claims, header) => {
    expect(shortly(await ask(await platform.token(claims, header)))).toMatch(/^200 /);
  });
  it.each(bad)('%s is refused', async (_, fault, claims, header = {}, by = () => platform.key) => {
    const answer = await ask(await platform.token(claims, header, by()));
    expect([shortly(answer), reason()]).toEqual([refused, `${use}_${fault}`]);
  });
  it('all of that has one sentence outward', async () => {
    const sentences = new Set<string>();
    for (const [, , claims, header = {}, by = () => platform.key] of bad)
      sentences.add(
        (await ask(await platform.token(claims, header, by()))).body.error_description as string,
      );
    expect(sentences.size).toBe(1);
  });
});

describe('what is no compact JWS', () => {
  it.each(['', 'x', 'a.b', 'a.b.c.d', `${'x'.repeat(20_000)}.a.b`])('%#', async (token) => {
    expect((await platform.grant(token)).status).toBe(400);
    expect([400, 401]).toContain((await platform.authenticate(token)).status);
  });
});
