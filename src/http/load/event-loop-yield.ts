/**
 * Pieces of work that a turn begins under heavy load: some milliseconds of tokens. With twice as
 * many, refusals and new connections waited noticeably longer (bench).
 */
const few = 8;

/**
 * Begins work in order of arrival. Under heavy load it begins only a few requests per turn of the
 * event loop, so that new connections are accepted and refusals sent between turns. Otherwise it
 * begins all of them, because requests that begin in one turn share SQL statements.
 */
export function eventLoopYield(crowded: () => boolean): (work: () => void) => void {
  let waiting: (() => void)[] = [];
  let begun = 0;
  const nextTurn = () => {
    const most = crowded() ? few : waiting.length;
    const turn = waiting.slice(0, most);
    waiting = waiting.slice(most);
    begun = turn.length;
    if (begun > 0) setImmediate(nextTurn);
    for (const work of turn) work();
  };
  return (work) => {
    if (begun === 0) setImmediate(nextTurn);
    if (waiting.length > 0 || (begun >= few && crowded())) return void waiting.push(work);
    begun++;
    work();
  };
}
