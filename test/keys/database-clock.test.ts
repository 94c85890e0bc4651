import { expect, it } from 'vitest';
import { databaseClock } from '../../src/domain/database-clock.ts';

/** One question to a database whose clock says `databaseTime` somewhere between the two. */
interface Question {
  readonly asked: number;
  readonly databaseTime: number;
  readonly answered: number;
}

it.each<{ of: string; questions: Question[]; offset: number }>([
  { of: 'before the first answer it is the local clock', questions: [], offset: 0 },
  {
    of: 'the middle of the round trip',
    questions: [{ asked: 1000, databaseTime: 31_050, answered: 1100 }],
    offset: 30_000,
  },
  {
    of: 'an answer that took long, or was read after a pause, changes nothing',
    questions: [
      { asked: 1000, databaseTime: 31_001, answered: 1002 },
      { asked: 2000, databaseTime: 32_001, answered: 9000 },
    ],
    offset: 30_000,
  },
  {
    of: 'a first one that took long is mended by a quick one',
    questions: [
      { asked: 1000, databaseTime: 31_001, answered: 9000 },
      { asked: 10_000, databaseTime: 40_001, answered: 10_002 },
    ],
    offset: 30_000,
  },
  {
    of: 'a clock that is set is followed by the next answer',
    questions: [
      { asked: 1000, databaseTime: 31_001, answered: 1002 },
      { asked: 500_000, databaseTime: 32_001, answered: 500_002 },
    ],
    offset: -468_000,
  },
])('the shared clock: $of', async ({ questions, offset }) => {
  const local = { now: 0 };
  const shared = databaseClock(() => local.now);
  for (const { asked, databaseTime, answered } of questions) {
    local.now = asked;
    await shared.measuredBy(async () => {
      local.now = answered;
      return { databaseTime };
    });
  }
  expect(shared.now() - local.now).toBe(offset);
});
