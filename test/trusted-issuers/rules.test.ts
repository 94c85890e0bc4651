import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CorruptRow } from '../../src/domain/oauth-error.ts';
import type { ClaimCondition, TrustRule } from '../../src/domain/trust-rule.ts';
import { readClaimPath } from '../../src/protocol/trusted-issuers/claim-path.ts';
import { unmetConditions } from '../../src/protocol/trusted-issuers/match-rule.ts';
import {
  isSubjectTemplate,
  subjectOf,
} from '../../src/protocol/trusted-issuers/subject-template.ts';
import { readTrustRule } from '../../src/store/tables/columns.ts';
import { openPlatform, type Platform, shortly } from '../support/platform.ts';
import { adminToken } from '../support/server.ts';

describe('a path to a claim', () => {
  it.each<[string, readonly string[] | undefined]>([
    ['/kubernetes.io/namespace', ['kubernetes.io', 'namespace']],
    ['/a~1b/c~0d', ['a/b', 'c~d']],
    ['/~01', ['~1']],
    ['/', ['']],
    ['/a~2', undefined],
    ['/a~', undefined],
    ['sub', ['sub']],
    ['"kubernetes.io".namespace', ['kubernetes.io', 'namespace']],
    ['"https://example.com/c"', ['https://example.com/c']],
    ['a."b\\"c\\\\".d', ['a', 'b"c\\', 'd']],
    ['a.b', ['a', 'b']],
    ['', undefined],
    ['a.', undefined],
    ['.a', undefined],
    ['a b', undefined],
    ['"a', undefined],
    ['"a"b', undefined],
    ['https://example.com/c', undefined],
  ])('%s', (text, path) => expect(readClaimPath(text)).toEqual(path));
});

describe('the conditions of a rule', () => {
  const token = {
    sub: 'repo:acme/shop:ref:refs/heads/main',
    empty: '',
    star: 'a*',
    run: 7,
    // What JSON.parse makes of 9007199254740993, too.
    project: 2 ** 53,
    negative: -(2 ** 53),
    last: Number.MAX_SAFE_INTEGER,
    share: 0.5,
    protected: true,
    list: ['a', 'b'],
    deep: { er: { est: 'x' }, null: null },
  };
  it.each<[string, ClaimCondition, 'holds' | 'absent' | 'another type' | 'another value']>([
    ['sub', 'repo:acme/shop:ref:refs/heads/main', 'holds'],
    ['sub', 'repo:acme/*', 'holds'],
    ['sub', 'repo:acme/shop', 'another value'],
    ['sub', 'repo:ac*:main', 'another value'],
    ['sub', { prefix: 'repo:acme/' }, 'holds'],
    ['sub', { prefix: 'repo:acme/shop2' }, 'another value'],
    ['sub', '*', 'holds'],
    ['empty', '*', 'another value'],
    ['star', { exact: 'a*' }, 'holds'],
    ['star', { exact: 'a' }, 'another value'],
    ['run', 7, 'holds'],
    ['run', '7', 'another type'],
    ['run', 8, 'another value'],
    ['project', 2 ** 53, 'another value'],
    ['negative', -(2 ** 53), 'another value'],
    ['last', Number.MAX_SAFE_INTEGER, 'holds'],
    ['share', 0.5, 'holds'],
    ['protected', true, 'holds'],
    ['protected', 'true', 'another type'],
    ['list', 'a', 'another type'],
    ['/list/0', 'a', 'holds'],
    ['/deep/er/est', 'x', 'holds'],
    ['deep.er.est', 'x', 'holds'],
    ['/deep/er', '*', 'another type'],
    ['/deep/null', '*', 'another type'],
    ['/deep/none', '*', 'absent'],
    ['/sub/length', 34, 'absent'],
    ['/list/length', 2, 'absent'],
    ['/constructor/name', 'Object', 'absent'],
    ['__proto__', '*', 'absent'],
  ])('%s is %j: %s', (claim, condition, expected) => {
    const [unmet] = unmetConditions(
      { claims: { [claim]: condition } } as unknown as TrustRule,
      token,
    );
    expect(unmet?.because ?? 'holds').toBe(expected);
  });
});

describe('the template of a subject', () => {
  it.each<[string, boolean, string?]>([
    ['{sub}', true, 'alice'],
    ['ns:{/kubernetes.io/namespace}:{"kubernetes.io".pod}', true, 'ns:orders:p-1'],
    ['constant', true, 'constant'],
    ['{none}', true],
    ['{empty}', true],
    ['{run}', true],
    ['{/kubernetes.io}', true],
    ['{', false],
    ['{}', false],
    ['{sub}}', false],
    ['{a b}', false],
  ])('%s', (template, isOne, expected) => {
    const claims = {
      sub: 'alice',
      empty: '',
      run: 7,
      'kubernetes.io': { namespace: 'orders', pod: 'p-1' },
    };
    const made = isSubjectTemplate(template) ? subjectOf(template, claims) : 'no template';
    expect(made).toBe(isOne ? expected : 'no template');
  });
});

describe('/admin/trusted-issuers/{id}/rules and /try', () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await openPlatform({}, { subject_prefix: 'k8s:' });
  });
  afterAll(async () => platform.server.stop());
  const admin = async (method: string, path: string, body?: object) =>
    platform.server.admin(method, `trusted-issuers/${platform.id}/${path}`, body);

  it.each<[string, object]>([
    ['no claims', { claims: {}, client_id: 'worker' }],
    ['no path', { claims: { 'a b': 'x' }, client_id: 'worker' }],
    ['a * in the middle', { claims: { sub: 'a*b' }, client_id: 'worker' }],
    ['an integer beyond 2^53 - 1', { claims: { project: 2 ** 53 }, client_id: 'worker' }],
    ['an integer below -(2^53 - 1)', { claims: { project: -(2 ** 53) }, client_id: 'worker' }],
    ['an empty value', { claims: { sub: '' }, client_id: 'worker' }],
    ['a list of values', { claims: { sub: ['a'] }, client_id: 'worker' }],
    [
      'two conditions of one claim',
      { claims: { sub: { exact: 'a', prefix: 'a' } }, client_id: 'w' },
    ],
    ['a condition that nobody knows', { claims: { sub: { suffix: 'a' } }, client_id: 'worker' }],
    ['neither client nor subject', { claims: { sub: 'a' } }],
    [
      'a subject with an open brace',
      { claims: { sub: 'a' }, subject: '{sub', resources: ['https://rs.example.com'] },
    ],
    ['a subject without client and audiences', { claims: { sub: 'a' }, subject: '{sub}' }],
    ['no audience', { claims: { sub: 'a' }, subject: '{sub}', resources: [] }],
    ['an unknown member', { claims: { sub: 'a' }, client_id: 'worker', audience: 'x' }],
  ])('refuses %s', async (_, body) => {
    expect((await admin('POST', 'rules', body)).status).toBe(400);
  });
  it.each(['__proto__', 'constructor', 'prototype', '/constructor/name'])(
    'a condition on %s counts like any other',
    async (claim) => {
      const one = platform;
      const both = JSON.parse(`{"claims":{"sub":"*","${claim}":"never"},"client_id":"worker"}`);
      const path = `trusted-issuers/${one.id}/rules`;
      const made = await one.server.admin('POST', path, both);
      expect(shortly(await one.authenticate(await one.token()))).toBe('401 invalid_client');
      const read = await one.server.admin('GET', `${path}/${made.body.id}`);
      expect(Object.keys(read.body.claims)).toEqual(['sub', claim]);
      await one.server.admin('DELETE', `${path}/${made.body.id}`);
      const only = JSON.parse(`{"claims":{"${claim}":"never"},"client_id":"worker"}`);
      const { body } = await one.server.admin('POST', path, only);
      expect(shortly(await one.authenticate(await one.token()))).toBe('401 invalid_client');
      await one.server.admin('DELETE', `${path}/${body.id}`);
    },
  );
  it.each(['{"claims":{}}', '{"claims":[]}', '{"claims":{"sub":{}}}', '{}'])(
    'a stored rule that says %s is corrupt and matches nothing',
    (metadata) => {
      expect(() => readTrustRule(metadata, { table: 'trust_rule', key: 'r' })).toThrow(CorruptRow);
    },
  );
  it('tells which rule would match, why others do not, and warns of a second one', async () => {
    const [first, second, third, whom] = [
      await platform.rule({ claims: { sub: 'x' }, client_id: 'worker', priority: 1 }),
      await platform.rule({ claims: { sub: 'system:*' }, client_id: 'worker', priority: 2 }),
      await platform.rule({ claims: { sub: '*' }, client_id: 'worker', priority: 3 }),
      await platform.rule({
        claims: { sub: '*' },
        subject: '{/kubernetes.io/namespace}',
        resources: ['https://rs.example.com'],
      }),
    ];
    const { body } = await admin('POST', 'try', { token: await platform.token() });
    expect(body).toEqual({
      verified: true,
      rules: [
        {
          id: first,
          leads_to: 'client',
          matches: false,
          wins: false,
          unmet: [{ claim: 'sub', because: 'another value' }],
          client_id: 'worker',
        },
        {
          id: second,
          leads_to: 'client',
          matches: true,
          wins: true,
          unmet: [],
          client_id: 'worker',
        },
        {
          id: third,
          leads_to: 'client',
          matches: true,
          wins: false,
          unmet: [],
          client_id: 'worker',
        },
        {
          id: whom,
          leads_to: 'subject',
          matches: true,
          wins: true,
          unmet: [],
          subject: 'k8s:orders',
        },
      ],
      warnings: [`rule ${third} matches too, but ${second} comes before it`],
    });
  });
  it.each<[string, object, string]>([
    ['for somebody else', { aud: 'x' }, 'platform_token_aud_mismatch'],
    ['of an unknown issuer', { iss: 'https://x.example' }, 'platform_token_issuer_not_trusted'],
  ])('says what is wrong with a token %s', async (_, claims, fault) => {
    const { status, body } = await admin('POST', 'try', { token: await platform.token(claims) });
    expect([status, body.verified, body.fault, body.rules]).toEqual([200, false, fault, []]);
  });
  it('issues and records nothing, and knows no token of another issuer', async () => {
    const { body } = await platform.server.admin('POST', 'trusted-issuers', {
      issuer: 'https://other.example.com',
      purposes: ['workload'],
      jwks: { keys: [{ ...platform.key.jwk, kid: 'platform-1' }] },
    });
    const before = (await platform.server.admin('GET', 'audit-events?limit=200')).body.items.length;
    const tried = await platform.server.admin('POST', `trusted-issuers/${body.id}/try`, {
      token: await platform.token(),
    });
    expect(tried.body).toMatchObject({ verified: false, fault: 'token_of_another_issuer' });
    const after = (await platform.server.admin('GET', 'audit-events?limit=200')).body.items.length;
    expect(after).toBe(before);
  });
  it.each(['k8s:', 'k8s:prod:', 'k'])(
    'refuses a prefix that subjects of another issuer could have, too: %s',
    async (subject_prefix) => {
      const other = { issuer: 'https://two.example.com', purposes: ['workload'], subject_prefix };
      const jwks = { keys: [{ ...platform.key.jwk, kid: 'platform-1' }] };
      const { server } = platform;
      for (const [path, body] of [
        ['trusted-issuers', { ...other, jwks }],
        ['configuration', { trusted_issuers: [{ ...other, jwks }] }],
      ] as const)
        expect((await server.admin('POST', path, body)).status).toBe(400);
    },
  );
  it('a subject that begins with a claim needs the prefix of the issuer, also afterwards', async () => {
    const one = await openPlatform({}, { subject_prefix: 'one:' });
    const path = `trusted-issuers/${one.id}`;
    const rule = { claims: { sub: '*' }, subject: '{sub}', resources: ['https://rs.example.com'] };
    await one.rule(rule);
    const token = await one.token({ sub: 'x' });
    expect(shortly(await one.grant(token))).toBe('200 one:x');
    await one.server.admin('PATCH', path, { subject_prefix: null });
    expect(shortly(await one.grant(token))).toBe('400 invalid_grant');
    expect((await one.server.admin('POST', `${path}/rules`, rule)).status).toBe(400);
    await one.server.stop();
  });
  it('an integer of which JSON loses digits (RFC 8259 §6) is refused in a rule, also in a declared one', async () => {
    const { id, key, server } = platform;
    // As text, because a JavaScript number cannot say it.
    const send = async (method: string, path: string, body: string) => {
      const answer = await fetch(`${server.adminUrl}/admin/${path}`, {
        method,
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body,
      });
      return [answer.status, ((await answer.json()) as { errors?: unknown }).errors];
    };
    const rule = '{"claims":{"/project_id":9007199254740993},"client_id":"worker"}';
    const detail =
      'integers beyond 2^53 - 1 cannot be compared; if the issuer sends a string, write it as one';
    expect(await send('POST', `trusted-issuers/${id}/rules`, rule)).toEqual([
      400,
      [{ member: 'claims./project_id', detail }],
    ]);
    const declared = `{"trusted_issuers":[{"issuer":"https://numbers.example","purposes":["workload"],"jwks":${JSON.stringify({ keys: [key.jwk] })},"rules":[${rule}]}]}`;
    expect(await send('POST', 'configuration', declared)).toEqual([
      400,
      [{ member: 'trusted_issuers[0].rules[0].claims./project_id', detail }],
    ]);
  });
  it('a rule of one issuer is none of another', async () => {
    const rule = await platform.rule({ claims: { sub: 'z' }, client_id: 'worker', priority: 9 });
    const { body } = await platform.server.admin('GET', 'trusted-issuers');
    const other = body.items.find(({ id }: { id: string }) => id !== platform.id).id as string;
    for (const method of ['GET', 'DELETE'])
      expect(
        (await platform.server.admin(method, `trusted-issuers/${other}/rules/${rule}`)).status,
      ).toBe(404);
    expect((await admin('GET', `rules/${rule}`)).status).toBe(200);
  });
});
