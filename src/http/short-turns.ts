/** Pieces of work that a turn begins at least, and milliseconds after which a turn has begun too many. */
const [fewest, target] = [8, 4];

/**
 * Begins work in the order in which it came, only as much in one turn of the event loop as ends in some milliseconds: what is left of a burst waits for the
 * next turns, between which connections are taken and refusals sent. Small work shares a turn, and with it its statements, more than large.
 * @param now monotonic milliseconds
 */
export function shortTurns(now: () => number): (work: () => void) => void {
  let waiting: (() => void)[] = [];
  let most = fewest;
  let begun = 0;
  let since = 0;
  const begin = () => {
    setImmediate(nextTurn);
    since = now();
  };
  // The loop does not idle while this is due: what has passed is work.
  const nextTurn = () => {
    if (now() - since > target) most = Math.max(fewest, most >> 1);
    else if (begun >= most) most++;
    const turn = waiting.slice(0, most);
    waiting = waiting.slice(most);
    begun = turn.length;
    if (begun > 0) begin();
    for (const work of turn) work();
  };
  return (work) => {
    if (begun === 0) begin();
    if (begun >= most) return void waiting.push(work);
    begun++;
    work();
  };
}
