import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { redisReplay } from '../../packages/resource-server/src/resource-server.ts';
import { openPair, type Pair, seconds } from '../support/pair.ts';
import { type RedisServer, redisServer } from '../support/redis-server.ts';
import { openRecipient, presentedBy, type Recipient } from '../support/resource-server.ts';
import { startOfTime } from '../support/server.ts';

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)(
  'RFC 9449 §11.1: records of used proofs in a Redis that forgets',
  { timeout: 60_000 },
  () => {
    let [pair, redis]: [Pair, RedisServer] = [] as never;
    let clients: Redis[] = [];
    let recipients: Recipient[] = [];
    let losses = 0;
    beforeAll(async () => {
      pair = await openPair();
    });
    afterAll(async () => pair.server.stop());
    beforeEach(async () => {
      at(0);
      losses = 0;
      redis = await redisServer();
      for (const first of [true, false]) await open(first);
    });
    afterEach(async () => {
      for (const client of clients) client.disconnect();
      for (const recipient of recipients) await recipient.close();
      [clients, recipients] = [[], []];
      await redis.remove();
    });
    /** A process of the resource server. */
    const open = async (first: boolean) => {
      const client = new Redis(redis.url, { retryStrategy: () => 20 });
      client.on('error', () => undefined);
      const replay = redisReplay(client, {
        clock: () => pair.server.clock.now,
        first,
        onLoss: () => losses++,
      });
      clients.push(client);
      recipients.push(await openRecipient(pair.server, { replay }));
    };
    const at = (later: number) => {
      pair.server.clock.now = startOfTime + later * 1000;
    };
    const tokenAndFields = async (iat: number) => {
      const token = (await pair.ask()).body.access_token as string;
      const proof = await (recipients[0] as Recipient).proof(token, pair.appKey, {
        iat: seconds + iat,
      });
      return [
        ['authorization', `DPoP ${token}`],
        ['dpop', proof],
      ] as [string, string][];
    };
    const send = async (fields: [string, string][], process = 0) =>
      presentedBy(await (recipients[process] as Recipient).send(fields));
    const unavailable = '503 temporarily_unavailable';

    it.each<[string, () => Promise<unknown>]>([
      [
        'restarted empty',
        async () => {
          await redis.kill();
          await redis.start();
        },
      ],
      ['emptied by FLUSHALL', async () => redis.command('FLUSHALL')],
      [
        'whose records are kept by another process than before',
        async () => redis.command('SET', 'holdfast:rs:replay-since', `0:${'0'.repeat(40)}`),
      ],
    ])('%s: what was used before is never taken again', async (_, lose) => {
      const used = [await tokenAndFields(0), await tokenAndFields(30)] as const;
      expect([await send(used[0]), await send(used[1], 1)]).toEqual(['app by jkt', 'app by jkt']);
      expect([await send(used[0], 1), await send(used[1])]).toEqual([
        '401 invalid_dpop_proof',
        '401 invalid_dpop_proof',
      ]);
      await lose();
      const seen: string[] = [];
      for (const later of [1, 30, 60, 89, 90]) {
        at(later);
        for (const fields of used) seen.push(await send(fields), await send(fields, 1));
      }
      expect(seen.filter((answer) => answer === 'app by jkt')).toEqual([]);
      expect(seen[0]).toBe(unavailable);
      expect(losses).toBeGreaterThan(0);
      expect((recipients[0] as Recipient).reasons).toContain('replay_unavailable');
    });

    it('proofs that cannot have been used before pass again after a minute, and count once', async () => {
      expect([await send(await tokenAndFields(0)), await send(await tokenAndFields(0), 1)]).toEqual(
        ['app by jkt', 'app by jkt'],
      );
      await redis.command('FLUSHALL');
      const seen: string[] = [];
      for (const later of [0, 1, 60, 61]) {
        at(later);
        const fields = await tokenAndFields(later);
        seen.push(await send(fields), await send(fields, 1));
      }
      expect(seen).toEqual([
        unavailable,
        unavailable,
        unavailable,
        unavailable,
        'app by jkt',
        '401 invalid_dpop_proof',
        'app by jkt',
        '401 invalid_dpop_proof',
      ]);
    });

    it('a process that joins finds the records complete; one that starts on an empty Redis cannot know, unless it is told', async () => {
      expect(await send(await tokenAndFields(0))).toBe('app by jkt');
      await open(false);
      expect(await send(await tokenAndFields(0), 2)).toBe('app by jkt');
      await redis.command('FLUSHALL');
      await open(false);
      expect(await send(await tokenAndFields(0), 3)).toBe(unavailable);
      await redis.command('FLUSHALL');
      await open(true);
      expect(await send(await tokenAndFields(0), 4)).toBe('app by jkt');
      // Invalidated once: what is lost afterwards is lost.
      await redis.command('FLUSHALL');
      expect(await send(await tokenAndFields(0), 4)).toBe(unavailable);
    });

    it('a Redis that is away refuses', async () => {
      const fields = await tokenAndFields(0);
      const [client] = clients as [Redis];
      client.options.maxRetriesPerRequest = 0;
      await redis.kill();
      expect(await send(fields)).toBe(unavailable);
      await redis.start();
    });
  },
);
