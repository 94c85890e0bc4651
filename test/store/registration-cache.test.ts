import { expect, it } from 'vitest';
import { cacheVersion } from '../../src/store/cache/cache-version.ts';
import { cached } from '../../src/store/cache/registration-cache.ts';

/** A store whose answers come when the test lets them, a state that the test changes, by a clock that the test moves. */
function slowStore() {
  const time = { now: 5000 };
  const registries = { state: 'a', asked: 0 };
  const waiting: ((value: object) => void)[] = [];
  const now = () => time.now;
  const state = cacheVersion(async () => {
    registries.asked++;
    return registries.state;
  }, now);
  const cache = cached(() => new Promise<object>((resolve) => waiting.push(resolve)), state, now);
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  /** A look-up that the cache does or does not answer by itself. */
  const find = async () => {
    const before = waiting.length;
    const found = cache.find('client');
    await settled();
    return { found, asked: waiting.length - before };
  };
  return { time, registries, waiting, cache, find, settled };
}

it('a copy is good as long as nothing registered has changed, and at most a second longer', async () => {
  const { time, registries, waiting, find } = slowStore();
  const first = await find();
  waiting[0]?.({ version: 1 });
  expect(await first.found).toEqual({ version: 1 });
  for (let second = 0; second < 100; second++) {
    time.now += 1000;
    expect(await find()).toMatchObject({ asked: 0 });
  }
  registries.state = 'b';
  time.now += 1000;
  const changed = await find();
  expect(changed.asked).toBe(1);
  waiting[1]?.({ version: 2 });
  expect(await changed.found).toEqual({ version: 2 });
});

it('a process that was stopped in between goes on with nothing that changed meanwhile', async () => {
  const { time, registries, waiting, find } = slowStore();
  const first = await find();
  registries.state = 'b';
  time.now += 3000;
  waiting[0]?.({ version: 1 });
  expect(await first.found).toEqual({ version: 1 });
  expect((await find()).asked).toBe(1);
});

it('what was asked for before the change was seen is not remembered after it', async () => {
  const { time, registries, waiting, find } = slowStore();
  const before = await find();
  registries.state = 'b';
  time.now += 1000;
  const after = await find();
  expect(after.asked).toBe(1);
  waiting[1]?.({ version: 2 });
  await after.found;
  waiting[0]?.({ version: 1 });
  await before.found;
  expect(await (await find()).found).toEqual({ version: 2 });
});

it('a question joins one that is under way, but none that has been for longer than a second', async () => {
  const { time, waiting, find } = slowStore();
  const [first, joined] = [await find(), await find()];
  expect(waiting.length).toBe(1);
  time.now += 1000;
  const later = await find();
  expect(waiting.length).toBe(2);
  waiting[1]?.({ version: 2 });
  waiting[0]?.({ version: 1 });
  expect(await Promise.all([first.found, joined.found, later.found])).toEqual([
    { version: 1 },
    { version: 1 },
    { version: 2 },
  ]);
});

it('whatever the load, the state is asked for twice a second, and ahead of need', async () => {
  const { time, registries, waiting, find } = slowStore();
  const first = await find();
  waiting[0]?.({ version: 1 });
  await first.found;
  for (let request = 0; request < 1000; request++) {
    time.now += 10;
    expect(await find()).toMatchObject({ asked: 0 });
  }
  expect(registries.asked).toBeLessThanOrEqual(21);
});

it('a change of its own is seen at once', async () => {
  const { waiting, cache, find } = slowStore();
  const first = await find();
  waiting[0]?.({ version: 1 });
  await first.found;
  cache.forget();
  expect((await find()).asked).toBe(1);
});

it('a database that does not say whether anything changed counts as away; one that takes a second to say is asked for the client itself', async () => {
  const time = { now: 0 };
  let answers: (() => void)[] = [];
  let away = false;
  const state = cacheVersion(
    () =>
      new Promise((resolve, reject) => {
        if (away) reject(new Error('away'));
        answers.push(() => resolve('a'));
      }),
    () => time.now,
  );
  const cache = cached(
    async () => ({ fresh: true }),
    state,
    () => time.now,
  );
  const slow = cache.find('client');
  time.now += 1000;
  for (const answer of answers) answer();
  answers = [];
  expect(await slow).toEqual({ fresh: true });
  away = true;
  await expect(cache.find('client')).rejects.toThrow('away');
});
