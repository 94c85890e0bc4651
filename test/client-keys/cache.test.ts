import { describe, expect, it } from 'vitest';
import { issuerKeys } from '../../packages/resource-server/src/issuer-keys.ts';
import type { RemoteJwksLimits } from '../../src/protocol/client-keys/remote-jwks/limits.ts';
import { remoteJwks } from '../../src/protocol/client-keys/remote-jwks/remote-jwks.ts';
import { RemoteJwksUnavailable } from '../../src/protocol/client-keys/remote-jwks/unavailable.ts';

const uri = (number: number) => `https://${number}.example/jwks`;

/** Key sets that a test gives, what was fetched, and a clock that it moves. */
function cache(limits: Partial<RemoteJwksLimits> = {}) {
  const clock = { now: 0 };
  const fetched: string[] = [];
  const server = { up: true, keys: [{ kid: 'first' }] as object[], gate: Promise.resolve() };
  const sets = remoteJwks({
    clock: () => clock.now,
    limits,
    fetch: async (from) => {
      fetched.push(from);
      await server.gate;
      if (!server.up) throw new RemoteJwksUnavailable('connection_failed');
      return { jwks: { keys: server.keys.map((key) => ({ ...key })) }, lifetimeMs: 3_600_000 };
    },
  });
  return { clock, fetched, server, sets };
}
/** The key identifiers, or why there are none. */
async function kids(work: Promise<{ readonly keys: readonly object[] }>): Promise<string> {
  try {
    return (await work).keys.map((key) => (key as { kid: string }).kid).join(' ');
  } catch (error) {
    if (error instanceof RemoteJwksUnavailable) return error.reason;
    throw error;
  }
}

describe('what limits is apart from what is cached', () => {
  it('however many URIs strangers name in turn, each is fetched once in a cool-down', async () => {
    const { sets, fetched, clock } = cache({ maxBytes: 64 * 1024 });
    for (let round = 0; round < 3; round++)
      for (let number = 0; number < 2000; number++) await kids(sets.newest(uri(number)));
    expect(fetched.length).toBe(2000);
    clock.now += 60_000;
    for (let number = 0; number < 2000; number++) await kids(sets.newest(uri(number)));
    expect(fetched.length).toBe(4000);
  });
  it('2,000 copies serve on while all key servers are away', async () => {
    const { sets, server, clock } = cache();
    for (let number = 0; number < 2000; number++) await sets.current(uri(number));
    server.up = false;
    clock.now = 3_600_000 + 1_800_000;
    for (let number = 0; number < 2000; number++)
      expect(await kids(sets.current(uri(number)))).toBe('first');
  });
  it('sets of the largest size push out no small one', async () => {
    const { sets, server, fetched } = cache();
    await sets.current(uri(-1));
    server.keys = [{ kid: 'x'.repeat(65_000) }];
    for (let number = 0; number < 500; number++) await sets.current(uri(number));
    expect(await kids(sets.current(uri(-1)))).toBe('first');
    expect(fetched.filter((one) => one === uri(-1)).length).toBe(1);
  });
  it('with as many cool-downs as can be kept nothing more is fetched until some are over', async () => {
    const { sets, clock } = cache({ maxCoolDowns: 3 });
    for (let number = 0; number < 3; number++) await sets.current(uri(number));
    expect(await kids(sets.current(uri(3)))).toBe('too_many_fetches');
    expect(await kids(sets.current(uri(0)))).toBe('first');
    clock.now += 60_000;
    expect(await kids(sets.current(uri(3)))).toBe('first');
  });
});

it('a resource server asks for the keys of each client once in a cool-down, however many clients', async () => {
  let fetched = 0;
  const keys = issuerKeys({
    issuer: 'https://as.example.com',
    clock: () => 0,
    fetch: async () => {
      fetched++;
      return Response.json({ keys: [] });
    },
  });
  for (let round = 0; round < 2; round++)
    for (let number = 0; number < 1500; number++) await keys.clientKey(`client-${number}`, 'x');
  expect(fetched).toBe(1500);
});

describe('a copy that was asked for before it was due', () => {
  it('is not in force until somebody signed by a key of it, or the old one has expired', async () => {
    const { sets, server, clock, fetched } = cache();
    const first = await sets.current(uri(0));
    server.keys = [{ kid: 'second' }];
    clock.now = 60_000;
    const second = await sets.newest(uri(0));
    expect([await kids(sets.newest(uri(0))), (await sets.current(uri(0))) === first]).toEqual([
      'second',
      true,
    ]);
    sets.adopt(uri(0), first);
    expect(await sets.current(uri(0))).toBe(first);
    sets.adopt(uri(0), second);
    expect(await sets.current(uri(0))).toBe(second);
    server.keys = [{ kid: 'third' }];
    clock.now = 120_000;
    await sets.newest(uri(0));
    clock.now = 60_000 + 3_600_000;
    expect([await kids(sets.current(uri(0))), fetched.length]).toEqual(['third', 3]);
  });
});

describe('waiting for other people’s servers', () => {
  it('of one URI as many wait as may, the rest are refused at once, and others are asked as before', async () => {
    const { sets, server, fetched } = cache();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.gate = promise;
    const asked = Array.from({ length: 512 }, async () => kids(sets.newest(uri(0))));
    // None of these waits for the server.
    const refused = await Promise.all(asked.slice(64));
    expect(new Set(refused)).toEqual(new Set(['too_many_waiting']));
    const other = kids(sets.current(uri(1)));
    resolve();
    expect(new Set(await Promise.all(asked.slice(0, 64)))).toEqual(new Set(['first']));
    expect([await other, fetched.length]).toEqual(['first', 2]);
  });
  it('so many fetches at a time and no more, whoever asks', async () => {
    const { sets, server, fetched } = cache();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.gate = promise;
    const asked = Array.from({ length: 200 }, async (_, number) => kids(sets.current(uri(number))));
    expect(new Set(await Promise.all(asked.slice(128)))).toEqual(new Set(['too_many_fetches']));
    resolve();
    await Promise.all(asked);
    expect(fetched.length).toBe(128);
    expect(await kids(sets.current(uri(150)))).toBe('first');
  });
  it('an expired copy serves those who are too many to wait for the next', async () => {
    const { sets, server, clock } = cache();
    await sets.current(uri(0));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.gate = promise;
    clock.now = 3_600_000;
    const asked = Array.from({ length: 100 }, async () => kids(sets.current(uri(0))));
    expect(new Set(await Promise.all(asked.slice(64)))).toEqual(new Set(['first']));
    resolve();
    await Promise.all(asked);
  });
});
