import type { Clock } from './clock.ts';

/** The clock by which all replicas decide: the database's, whatever the machine's own says. */
export interface DatabaseClock {
  /** Milliseconds since the epoch: the local clock, corrected by what was last measured. */
  now(): number;
  /** Asks the database for something that says its time in milliseconds, and measures by it. */
  measuredBy<Answer extends { readonly databaseTime: number }>(
    ask: () => Promise<Answer>,
  ): Promise<Answer>;
}

/**
 * The answer bounds the offset between both clocks. The current offset stays while it is within the
 * bounds; otherwise it becomes the middle. So a slow answer changes nothing.
 */
export function databaseClock(local: Clock): DatabaseClock {
  let offset: number | undefined;
  return {
    now: () => local() + (offset ?? 0),
    async measuredBy(ask) {
      const asked = local();
      const answer = await ask();
      const [least, most] = [answer.databaseTime - local(), answer.databaseTime - asked];
      if (offset === undefined || offset < least || offset > most)
        offset = Math.round((least + most) / 2);
      return answer;
    },
  };
}
