import { expect, it } from 'vitest';
import { cached } from '../../src/store/cached.ts';

/** A store whose answers come when the test lets them, by a clock that the test moves. */
function slowStore() {
  const time = { now: 5000 };
  const waiting: ((value: object) => void)[] = [];
  const cache = cached(
    () => new Promise<object>((resolve) => waiting.push(resolve)),
    () => time.now,
  );
  return { time, waiting, cache };
}

it('a copy is as old as the question, not as the answer: a process that was stopped in between keeps nothing older than a second', async () => {
  const { time, waiting, cache } = slowStore();
  const first = cache.find('client');
  time.now += 3000;
  waiting[0]?.({ version: 1 });
  expect(await first).toEqual({ version: 1 });
  const second = cache.find('client');
  expect(waiting.length).toBe(2);
  waiting[1]?.({ version: 2 });
  expect(await second).toEqual({ version: 2 });
  time.now += 1000;
  expect(await cache.find('client')).toEqual({ version: 2 });
  time.now += 1;
  void cache.find('client');
  expect(waiting.length).toBe(3);
});

it('a question joins one that is under way, but none that has been for longer than a second', async () => {
  const { time, waiting, cache } = slowStore();
  const [first, joined] = [cache.find('client'), cache.find('client')];
  expect(waiting.length).toBe(1);
  time.now += 1000;
  const later = cache.find('client');
  expect(waiting.length).toBe(2);
  waiting[1]?.({ version: 2 });
  waiting[0]?.({ version: 1 });
  expect(await Promise.all([first, joined, later])).toEqual([{ version: 1 }, { version: 1 }, { version: 2 }]);
});
