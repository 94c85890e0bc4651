import type { Clock } from './clock.ts';

/** The clock for decisions of all replicas: the database's, regardless of the machine's own. */
export interface DatabaseClock {
  /** Milliseconds since the epoch: the local clock, corrected by the last measurement. */
  now(): number;
  /** Runs a query that also returns the database's time in milliseconds, and measures by it. */
  measuredBy<Answer extends { readonly databaseTime: number }>(
    ask: () => Promise<Answer>,
  ): Promise<Answer>;
}

/**
 * The answer bounds the offset between both clocks. The current offset stays while it is within
 * these bounds, else it becomes their middle, so a slow answer changes nothing.
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
