import { beforeAll, describe, expect, it } from 'vitest';
import { check } from '../../consistency/check.ts';
import type { Entry } from '../../consistency/record.ts';
import { type TestKey, testKey } from '../support/keys.ts';

const promises = { staleness: 1000, jwksMaxAge: 5000 };
/** Begin and end of a request that took 10 ms, and its status. */
const at = (start: number, status: number | 'lost' = 200) => ({ start, end: start + 10, status });
const verdict = (history: readonly Entry[]) =>
  check(history, promises).map(({ promise }) => promise);

let signer: TestKey;
let other: TestKey;
/** A signed token as the record has it. */
let issued: (
  start: number,
  more?: { jti?: string; uses?: readonly string[]; kid?: string; key?: TestKey },
) => Promise<Entry>;
let published: (start: number, ...kids: readonly string[]) => Entry;

beforeAll(async () => {
  signer = await testKey();
  other = await testKey();
  issued = async (start, { jti = 'token', uses = [], kid = 'k1', key = signer } = {}) => ({
    ...at(start),
    op: 'token',
    client: 'app',
    uses,
    token: await key.sign(
      { jti, client_id: 'app', cnf: { jkt: 'holder' } },
      { typ: 'at+jwt', kid },
    ),
  });
  published = (start, ...kids) => ({
    ...at(start),
    op: 'jwks',
    by: 'one',
    keys: kids.map((kid) => ({ ...signer.jwk, kid })),
  });
});

const asked = (
  start: number,
  active: boolean,
  more: { proofValid?: boolean; uses?: readonly string[] } = {},
): Entry => ({
  ...at(start),
  op: 'introspect',
  jti: 'token',
  active,
  uses: [],
  ...more,
});

describe('used once', () => {
  it.each(['proof', 'assertion', 'cnf-proof'])('a %s that gave two tokens', async (use) => {
    const history = [
      await issued(0, { jti: 'a', uses: [use, 'own-a'] }),
      await issued(5, { jti: 'b', uses: ['own-b', use] }),
      published(2000, 'k1'),
    ];
    expect(verdict(history)).toEqual(['used once']);
  });
  it('a proof that counted at two introspections, or at an introspection and the token endpoint', async () => {
    const token = await issued(0, { uses: ['own'] });
    const counted = { uses: ['shown'], proofValid: true };
    expect(
      verdict([token, published(2000, 'k1'), asked(20, true, counted), asked(40, true, counted)]),
    ).toEqual(['used once']);
    expect(
      verdict([token, published(2000, 'k1'), asked(20, true, { ...counted, uses: ['own'] })]),
    ).toEqual(['used once']);
  });
  it('an assertion that counted at a revocation and for a token', async () => {
    const token = await issued(0, { uses: ['assertion'] });
    expect(
      verdict([
        token,
        published(2000, 'k1'),
        { ...at(20), op: 'revoke_token', jti: 'another', uses: ['assertion'] },
      ]),
    ).toEqual(['used once']);
  });
  it('no fault: refused repetitions, and one whose answer was lost', async () => {
    const refused = (start: number, status: number | 'lost'): Entry => ({
      ...at(start, status),
      op: 'token',
      client: 'app',
      uses: ['proof'],
    });
    const history = [
      await issued(0, { uses: ['proof'] }),
      refused(5, 400),
      refused(20, 'lost'),
      refused(30, 503),
      published(2000, 'k1'),
    ];
    expect(
      verdict([
        ...history,
        asked(40, true, { uses: ['shown'], proofValid: false }),
        asked(50, true, { uses: ['shown'], proofValid: true }),
      ]),
    ).toEqual([]);
  });
});

describe('registered stays', () => {
  const change = (
    op: 'register' | 'disable' | 'enable' | 'delete',
    start: number,
    status: number | 'lost' = 200,
  ): Entry => ({
    ...at(start, status),
    op,
    client: 'app',
  });
  const found = (start: number, status: number, disabled = false): Entry => ({
    ...at(start, status),
    op: 'look_up',
    client: 'app',
    disabled,
  });
  it.each<{ name: string; history: readonly Entry[]; faults: number }>([
    {
      name: 'not found after the answer',
      history: [change('register', 0, 201), found(20, 404)],
      faults: 1,
    },
    {
      name: 'not found while it was registered',
      history: [change('register', 0, 201), found(5, 404)],
      faults: 0,
    },
    {
      name: 'not found, the registration was never answered',
      history: [change('register', 0, 'lost'), found(20, 404)],
      faults: 0,
    },
    {
      name: 'not found after a deletion',
      history: [change('register', 0, 201), change('delete', 20, 204), found(40, 404)],
      faults: 0,
    },
    {
      name: 'not found after a deletion without answer',
      history: [change('register', 0, 201), change('delete', 20, 503), found(40, 404)],
      faults: 0,
    },
    {
      name: 'not found after a refused deletion',
      history: [change('register', 0, 201), change('delete', 20, 412), found(40, 404)],
      faults: 1,
    },
    {
      name: 'there again after a deletion',
      history: [change('register', 0, 201), change('delete', 20, 204), found(40, 200)],
      faults: 1,
    },
    {
      name: 'in service after a disabling',
      history: [change('register', 0, 201), change('disable', 20), found(40, 200)],
      faults: 1,
    },
    {
      name: 'shown as disabled',
      history: [change('register', 0, 201), change('disable', 20), found(40, 200, true)],
      faults: 0,
    },
    {
      name: 'in service again',
      history: [change('disable', 20), change('enable', 40), found(60, 200)],
      faults: 0,
    },
    {
      name: 'an enabling without answer takes effect late',
      history: [change('enable', 0, 'lost'), change('disable', 200), found(400, 200)],
      faults: 0,
    },
  ])('$name', ({ history, faults }) => {
    expect(verdict(history)).toEqual(Array.from({ length: faults }, () => 'registered stays'));
  });
});

describe('withdrawn stays', () => {
  const withdrawals: readonly { name: string; entry: Entry }[] = [
    { name: 'the token', entry: { ...at(20), op: 'revoke_token', jti: 'token', uses: [] } },
    {
      name: 'all tokens of its client',
      entry: { ...at(20), op: 'revoke_client_tokens', client: 'app' },
    },
    { name: 'all tokens of its key', entry: { ...at(20), op: 'revoke_key_tokens', jkt: 'holder' } },
    { name: 'the signing key', entry: { ...at(20, 204), op: 'revoke_signing_key', kid: 'k1' } },
    { name: 'the client, disabled', entry: { ...at(20), op: 'disable', client: 'app' } },
    { name: 'the client, deleted', entry: { ...at(20, 204), op: 'delete', client: 'app' } },
  ];
  it.each(withdrawals)('active after an answered withdrawal of $name', async ({ entry }) => {
    const token = await issued(0);
    expect(verdict([token, published(10, 'k1'), entry, asked(31, true)])).toEqual([
      'withdrawn stays',
    ]);
    expect(verdict([token, published(10, 'k1'), entry, asked(31, false)])).toEqual([]);
    expect(verdict([token, published(10, 'k1'), entry, asked(25, true)])).toEqual([]);
    expect(
      verdict([token, published(10, 'k1'), { ...entry, status: 'lost' } as Entry, asked(31, true)]),
    ).toEqual([]);
  });
  it('no fault: a token issued while all of the client were withdrawn', async () => {
    const withdrawn: Entry = {
      start: 5,
      end: 8,
      status: 200,
      op: 'revoke_client_tokens',
      client: 'app',
    };
    expect(verdict([await issued(0), published(10, 'k1'), withdrawn, asked(31, true)])).toEqual([]);
  });
});

describe('not issued when disabled', () => {
  it.each(['disable', 'delete'] as const)(
    'a token later than a second after an answered %s',
    async (op) => {
      const change: Entry = { ...at(0), op, client: 'app' };
      const keys = published(3000, 'k1');
      expect(verdict([change, await issued(1011), keys])).toEqual(['not issued when disabled']);
      expect(verdict([change, await issued(1009), keys])).toEqual([]);
      expect(verdict([{ ...change, status: 'lost' } as Entry, await issued(1011), keys])).toEqual(
        [],
      );
    },
  );
  it('no fault: enabled again, or perhaps', async () => {
    const keys = published(3000, 'k1');
    for (const status of [200, 'lost', 503] as const) {
      const history: readonly Entry[] = [
        { ...at(0), op: 'disable', client: 'app' },
        { ...at(500, status), op: 'enable', client: 'app' },
      ];
      expect(verdict([...history, await issued(2000), keys])).toEqual([]);
    }
  });
});

describe('verifies', () => {
  const revoked = (start: number, status: number | 'lost' = 204): Entry => ({
    ...at(start, status),
    op: 'revoke_signing_key',
    kid: 'k1',
  });
  const rotated = (start: number, immediately: boolean): Entry => ({
    ...at(start),
    op: 'rotate',
    immediately,
    kid: 'k1',
  });
  it('a token of a key that no JWK Set holds, or that another key signed', async () => {
    expect(verdict([await issued(0), published(500, 'k2')])).toEqual(['verifies']);
    expect(verdict([await issued(0, { key: other }), published(500, 'k1')])).toEqual(['verifies']);
  });
  it('a JWK Set that lacks the key a second after its first token', async () => {
    expect(verdict([await issued(0), published(5, 'k1'), published(1011, 'k2')])).toEqual([
      'verifies',
    ]);
    expect(verdict([await issued(0), published(5, 'k1'), published(900, 'k2')])).toEqual([]);
  });
  it('no fault: the replica could not hear of the key, or the key was revoked', async () => {
    const fault: Entry = { op: 'fault', fault: 'pause', target: 'one', start: 500, end: 4000 };
    expect(verdict([await issued(0), published(5, 'k1'), fault, published(4500, 'k2')])).toEqual(
      [],
    );
    expect(
      verdict([
        await issued(0),
        published(5, 'k1'),
        { ...fault, start: 3000 },
        published(4500, 'k2'),
      ]),
    ).toEqual(['verifies']);
    expect(
      verdict([
        await issued(0),
        published(5, 'k1'),
        { ...fault, target: 'another' },
        published(4500, 'k2'),
      ]),
    ).toEqual(['verifies']);
    expect(
      verdict([await issued(0), published(5, 'k1'), revoked(1000), published(4500, 'k2')]),
    ).toEqual([]);
  });
  it('an announced key that a copy of the JWK Set, as old as allowed, lacks', async () => {
    expect(
      verdict([
        rotated(0, false),
        published(1500, 'k2'),
        await issued(6000),
        published(8000, 'k1'),
      ]),
    ).toEqual(['verifies']);
    expect(
      verdict([rotated(0, false), published(900, 'k2'), await issued(6000), published(8000, 'k1')]),
    ).toEqual([]);
    expect(
      verdict([rotated(0, true), published(1500, 'k2'), await issued(6000), published(8000, 'k1')]),
    ).toEqual([]);
  });
  it('a token signed by a key a second after its answered revocation', async () => {
    expect(
      verdict([
        await issued(0),
        published(20, 'k1'),
        revoked(40),
        await issued(1051, { jti: 'late' }),
      ]),
    ).toEqual(['verifies']);
    expect(
      verdict([
        await issued(0),
        published(20, 'k1'),
        revoked(40),
        await issued(1049, { jti: 'late' }),
      ]),
    ).toEqual([]);
    expect(
      verdict([
        await issued(0),
        published(20, 'k1'),
        revoked(40, 'lost'),
        await issued(1051, { jti: 'late' }),
      ]),
    ).toEqual([]);
  });
});
