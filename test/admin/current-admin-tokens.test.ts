import { expect, it } from 'vitest';
import { currentAdminTokens } from '../../src/admin/current-admin-tokens.ts';

it('a store that answers slowly is asked again only after its answer', async () => {
  let now = 0;
  const asked: ((hashes: readonly string[]) => void)[] = [];
  const currentHashes = async () =>
    new Promise<readonly string[]>((resolve) => {
      asked.push(resolve);
    });
  const isCurrent = currentAdminTokens({ currentHashes }, Date.now, () => now);
  const answers = [isCurrent('a')];
  for (now of [1000, 2000, 3000]) answers.push(isCurrent('a'));
  expect(asked).toHaveLength(1);
  asked[0]?.(['a']);
  expect(await Promise.all(answers)).toEqual([true, true, true, true]);
  const later = [isCurrent('a'), isCurrent('b')];
  expect(asked).toHaveLength(2);
  asked[1]?.(['b']);
  expect(await Promise.all(later)).toEqual([false, true]);
});
