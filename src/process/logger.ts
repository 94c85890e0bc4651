import pino, { type Logger } from 'pino';

/**
 * Bytes that one write to standard output collects, and milliseconds that a line waits at most. A
 * write for every line costs as much as a third of a signature. Several processes may share a pipe,
 * which keeps writes of up to 4096 bytes whole: a buffer and a line stay below.
 */
const [collected, longestWait] = [2048, 100];

/**
 * The log of this process, a JSON object a line. Ends with the process, however that exits; only a
 * kill can lose the last lines.
 */
export function processLog(level: string, worker?: number): Logger {
  const output = pino.destination({
    dest: 1,
    sync: true,
    minLength: collected,
    periodicFlush: longestWait,
  });
  process.on('exit', () => {
    // The first one writes once, and notices that the reader is gone: flushSync by itself would try
    // for ever.
    output.flush();
    output.flushSync();
  });
  return pino(
    { level, base: { service: 'holdfast', ...(worker !== undefined && { worker }) } },
    output,
  );
}
