import pino, { type Logger } from 'pino';

/**
 * Bytes per write to standard output, and maximum milliseconds that a line waits. A write per line
 * costs a third of a signature. Processes may share a pipe, which keeps writes of up to 4096 bytes
 * whole, so a buffer plus a line stay below that.
 */
const [collected, longestWait] = [2048, 100];

/**
 * The log of this process, one JSON object per line. It is flushed on any exit; only a kill can
 * lose the last lines.
 */
export function processLog(level: string, worker?: number): Logger {
  const output = pino.destination({
    dest: 1,
    sync: true,
    minLength: collected,
    periodicFlush: longestWait,
  });
  process.on('exit', () => {
    // `flush` writes once and notices a closed reader; `flushSync` alone would retry forever.
    output.flush();
    output.flushSync();
  });
  return pino(
    { level, base: { service: 'holdfast', ...(worker !== undefined && { worker }) } },
    output,
  );
}
