import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOn } from '../support/describe-on.ts';
import { openReplicas, type Replicas } from '../support/replicas.ts';
import { basic, startOfTime, type TestServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqliteAndRedis, type TestStore } from '../support/stores.ts';
import { clientSecret, type TokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const form = { grant_type: 'client_credentials' };
const authorization = basic('app', clientSecret);

describeOn(onSqliteAndRedis)('a Redis that forgets', () => {
  let store: TestStore;
  let fixture: TokenEndpointFixture;
  let replica: TestServer;
  let close: Replicas['close'];
  let redis: Redis;
  const clock = { now: startOfTime };
  beforeAll(async () => {
    ({ store, fixture, replica, close } = await openReplicas(onSqliteAndRedis, { clock }));
    redis = new Redis(store.env['REDIS_URL'] ?? '');
  });
  afterAll(async () => {
    redis.disconnect();
    await close();
  });
  const at = (seconds: number) => {
    clock.now = startOfTime + seconds * 1000;
  };
  const proofAt = async (seconds: number) =>
    fixture.key.proof({ iat: startOfTime / 1000 + seconds });
  const ask = async (dpop: string, server = fixture.server) => {
    const { status, body } = await server.post('/token', form, { authorization, dpop });
    return `${status} ${(body.error as string | undefined) ?? ''}`.trim();
  };
  /** Everything that this installation keeps in the Redis, which other suites use too. */
  const mine = async (what: string) => redis.keys(`holdfast:${await installation()}:${what}`);
  const installation = async () => {
    const named = "select value from shared_secret where name = 'redis_installation'";
    return String((await execute(store, named))[0]?.[0]);
  };

  it('a proof used before the loss is refused after it, and so is all that could have been used; fresh ones work again', async () => {
    const used = [await proofAt(0), await proofAt(30)];
    expect([await ask(used[0] ?? ''), await ask(used[1] ?? '', replica)]).toEqual(['200', '200']);
    // Two records, and the marker of the time since when there are all.
    expect((await mine('replay*')).length).toBe(3);
    await redis.del(await mine('*'));
    at(10);
    expect([
      await ask(used[0] ?? ''),
      await ask(used[1] ?? '', replica),
      await ask(await proofAt(10)),
    ]).toEqual(Array.from({ length: 3 }, () => '503 temporarily_unavailable'));
    // From then on a proof can be dated so that it cannot have been used before.
    at(71);
    expect([await ask(await proofAt(71)), await ask(await proofAt(71), replica)]).toEqual([
      '200',
      '200',
    ]);
    expect([await ask(used[1] ?? ''), await ask(used[1] ?? '', replica)]).toEqual([
      '503 temporarily_unavailable',
      '503 temporarily_unavailable',
    ]);
    at(121);
    expect(await ask(used[1] ?? '')).toBe('400 invalid_dpop_proof');
    expect(
      fixture.server.logs
        .concat(replica.logs)
        .filter(({ msg }) => String(msg).startsWith('Redis has lost replay records')).length,
    ).toBeGreaterThan(0);
  });

  it('a keeper that is another process counts as a loss (fail-over to a copy that lagged)', async () => {
    at(200);
    const used = await proofAt(200);
    expect(await ask(used)).toBe('200');
    const [marker = ''] = await mine('replay-since');
    await redis.set(marker, `0:${'0'.repeat(40)}`);
    at(201);
    expect([await ask(await proofAt(201), replica), await ask(used)]).toEqual([
      '503 temporarily_unavailable',
      '503 temporarily_unavailable',
    ]);
    at(262);
    expect(await ask(await proofAt(262))).toBe('200');
  });
});
