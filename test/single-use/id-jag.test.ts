import { describe, expect, it } from 'vitest';
import { federation } from '../support/id-jag.ts';
import { storeKinds } from '../support/stores.ts';

describe.each(storeKinds)('an identity assertion grant counts once, on $name', (kind) => {
  it('in parallel, and whoever is refused uses nothing up', async () => {
    const made = await federation({ kind });
    const assertion = await made.idJag({ cnf: { jkt: made.pair.appKey.jkt } });
    const thief = { client: 'thief', key: made.pair.thiefKey };
    for (const by of [thief, { key: made.pair.thiefKey }])
      expect((await made.grant(assertion, {}, by)).body.error).toBe('invalid_grant');
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => made.grant(assertion)),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    expect(answers.filter(({ body }) => body.error === 'invalid_grant').length).toBe(19);
    await made.pair.server.stop();
  });
});
