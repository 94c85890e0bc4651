import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RefusalReason, refusalReasons } from '../../src/domain/refusal-reasons.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { audience, openPlatform, type Platform } from '../support/platform.ts';
import { type Answer, startOfTime } from '../support/server.ts';

const seconds = startOfTime / 1000;
const provider = 'https://idp.example.com';
const partner = 'https://auth.partner.example';
const anywhere = 'https://auth.anywhere.example';
const [chat, files] = ['https://chat.partner.example', 'https://files.partner.example'];
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';

describe('an identity assertion grant for a workload is within the rule that authenticated it', () => {
  let [platform, idp]: [Platform, TestKey] = [] as never;
  const created = async (path: string, body: object) => {
    const answer = await platform.server.admin('POST', path, body);
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return answer.body.id as string;
  };
  beforeAll(async () => {
    platform = await openPlatform();
    idp = await testKey();
    await platform.server.admin('PATCH', 'clients/worker', {
      grant_types: ['client_credentials', exchange],
    });
    await created('trusted-issuers', {
      issuer: provider,
      audience: 'app-at-idp',
      jwks: { keys: [{ ...idp.jwk, kid: 'idp-1' }] },
    });
    const clients = [{ client_id: 'worker', remote_client_id: 'worker-there' }];
    const scope = 'chat.read chat.admin';
    await created('authorization-servers', {
      issuer: partner,
      clients,
      scope,
      resources: [chat, files],
    });
    await created('authorization-servers', { issuer: anywhere, clients });
    for (const [namespace, limits] of [
      ['unlimited', {}],
      ['elsewhere', { scope: 'read', resources: [audience], access_token_lifetime: 60 }],
      ['scope', { scope: 'read chat.read' }],
      ['other-scope', { scope: 'read' }],
      ['resource', { resources: [audience, chat] }],
      ['other-resource', { resources: [audience] }],
      ['short', { access_token_lifetime: 60 }],
    ] as const)
      await platform.rule({ claims: { namespace }, client_id: 'worker', ...limits });
  });
  afterAll(() => platform.server.stop());

  const idToken = () =>
    idp.sign(
      {
        iss: provider,
        sub: 'alice',
        aud: 'app-at-idp',
        iat: seconds,
        exp: seconds + 600,
        jti: randomJti(),
      },
      { kid: 'idp-1', typ: 'JWT' },
    );
  const ask = async (namespace: string, form: Record<string, string> = {}) =>
    platform.authenticate(await platform.token({ namespace }), {
      form: {
        grant_type: exchange,
        requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
        subject_token: await idToken(),
        subject_token_type: idTokenType,
        audience: partner,
        ...form,
      },
    });
  const granted = ({ status, body }: Answer) => {
    if (status !== 200) return [status, body];
    const { scope, resource, iat = 0, exp = 0 } = decodeJwt(body.access_token as string);
    return { scope, resource, lifetime: exp - iat };
  };

  it.each<[string, Record<string, string>, object]>([
    ['unlimited', {}, { scope: 'chat.read chat.admin', resource: [chat, files], lifetime: 300 }],
    ['scope', {}, { scope: 'chat.read', resource: [chat, files], lifetime: 300 }],
    [
      'scope',
      { scope: 'chat.read' },
      { scope: 'chat.read', resource: [chat, files], lifetime: 300 },
    ],
    ['resource', {}, { scope: 'chat.read chat.admin', resource: chat, lifetime: 300 }],
    [
      'resource',
      { resource: chat, scope: 'chat.admin' },
      { scope: 'chat.admin', resource: chat, lifetime: 300 },
    ],
    ['resource', { audience: anywhere }, { resource: [audience, chat], lifetime: 300 }],
    ['unlimited', { audience: anywhere, resource: files }, { resource: files, lifetime: 300 }],
    ['short', {}, { scope: 'chat.read chat.admin', resource: [chat, files], lifetime: 60 }],
  ])('the limit "%s", asked for %j: %j', async (namespace, form, expected) => {
    expect(granted(await ask(namespace, form))).toEqual(expected);
  });

  it.each<[string, Record<string, string>, RefusalReason]>([
    ['elsewhere', { scope: 'chat.admin', resource: chat }, 'id_jag_audience_not_allowed'],
    ['scope', { scope: 'chat.admin' }, 'scope_not_allowed'],
    ['scope', { scope: 'chat.read chat.admin' }, 'scope_not_allowed'],
    ['other-scope', {}, 'id_jag_audience_not_allowed'],
    // A grant without scope is one without a limit.
    ['scope', { audience: anywhere }, 'id_jag_audience_not_allowed'],
    ['resource', { resource: files }, 'resource_not_allowed'],
    ['resource', { audience: anywhere, resource: files }, 'resource_not_allowed'],
    ['other-resource', {}, 'id_jag_audience_not_allowed'],
  ])('the limit "%s", asked for %j: refused as %s', async (namespace, form, reason) => {
    const { status, body } = await ask(namespace, form);
    const { reason: logged } = platform.server.logs.findLast(({ msg }) => msg === 'request') ?? {};
    expect([status, body.error, logged]).toEqual([400, refusalReasons[reason].code, reason]);
  });
});
