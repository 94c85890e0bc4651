import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { RecordedEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import { timeOf, timePrefix } from '../domain/time-ordered-id.ts';
import type { AuditSinkStore } from '../ports/audit-sink-store.ts';
import type { AuditLog } from '../ports/audit-trail.ts';
import { followDelay, settledTime } from '../ports/audit-trail.ts';

/** Delivers JSON lines, one per event; resolves once they are safe. */
export type DeliverEvents = (lines: readonly string[]) => Promise<void>;

export interface AuditSinkOptions {
  /** Names the sink in the store. */
  readonly name: string;
  /** Names this process; random. */
  readonly holder: string;
  readonly store: AuditSinkStore;
  readonly log: AuditLog;
  readonly clock: Clock;
  /** The database's time, in seconds since the epoch. */
  readonly databaseSeconds: () => Promise<number>;
  readonly deliver: DeliverEvents;
  readonly logger: Logger;
}

/** A running audit sink. */
export interface AuditSink {
  /** Seconds since the oldest deliverable but undelivered event; 0 if there is none. */
  lag(): Promise<number>;
  /** Stops after the delivery in progress. */
  stop(): Promise<void>;
}

/** Events per query, and maximum bytes of a delivery, unless a single event has more. */
const [batch, maxBytes] = [500, 262_144];

/** Milliseconds for one delivery, and for which each delivery reserves the sink for its process. */
const [deadline, held] = [15_000, 20_000];

/** Milliseconds between checks, for the process that holds the sink and for the others. */
const [lookEvery, askEvery] = [1000, 5000];

/** Milliseconds between retries, doubled by every further failure. */
const [firstPause, longestPause] = [1000, 60_000];

/** Milliseconds after which an ongoing failure is logged again. */
const repeated = 3_600_000;

/** Milliseconds of events sent again after the clock was ahead; longer than detection takes. */
const sentAgain = 3_600_000;

/**
 * Follows the audit trail and delivers each event at least once, ordered by identifier. One process
 * delivers at a time; another resumes from the position if that one ends or fails. Events are
 * delivered a minute late, since an earlier one may be written until then.
 */
export function followAuditTrail(options: AuditSinkOptions): AuditSink {
  const { name, holder, store, logger } = options;
  const stopping = new AbortController();
  const pause = async (milliseconds: number) =>
    sleep(milliseconds, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
  let failures = 0;
  let reportedAt: number | undefined;
  const round = async (): Promise<number> => {
    try {
      const position = await store.hold(name, holder, held);
      if (position === undefined) return askEvery;
      const start = await startFrom(options, position);
      if (start !== position) {
        logger.error('the clock was ahead: audit events of the last hour are sent again');
        await advance(options, start);
      }
      const delivered = await deliverFrom(options, start, stopping.signal);
      failures = 0;
      if (delivered && reportedAt !== undefined) {
        logger.info('audit events are delivered again');
        reportedAt = undefined;
      }
      return lookEvery;
    } catch (err) {
      failures++;
      if (reportedAt === undefined || options.clock() - reportedAt > repeated) {
        logger.error({ err }, 'audit events are not delivered; tried again');
        reportedAt = options.clock();
      }
      // Another process may be able to reach the sink.
      await store.release(name, holder).catch(() => undefined);
      return Math.min(firstPause * 2 ** (failures - 1), longestPause);
    }
  };
  const work = async () => {
    while (!stopping.signal.aborted) await pause(await round());
    await store.release(name, holder).catch(() => undefined);
  };
  const done = work();
  return {
    async lag() {
      const start = await startFrom(options, await store.positionOf(name));
      const [oldest] = await undelivered(options, start, 1);
      return oldest === undefined ? 0 : Math.max(options.clock() - oldest.at, 0) / 1000;
    },
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

/**
 * Returns the position, or an earlier one if it is ahead of the database's time: the clock was
 * ahead, and new events have smaller identifiers. Half of the delay tolerates small corrections.
 */
async function startFrom({ databaseSeconds }: AuditSinkOptions, position: string): Promise<string> {
  const now = (await databaseSeconds()) * 1000;
  return timeOf(position) > now - followDelay / 2 ? timePrefix(now - sentAgain) : position;
}

async function undelivered(
  options: AuditSinkOptions,
  position: string,
  limit: number,
): Promise<readonly RecordedEvent[]> {
  return options.log.list({
    limit,
    until: await settledTime(options),
    ...(position !== '' && { after: position }),
  });
}

/** Returns whether anything was delivered. */
async function deliverFrom(
  options: AuditSinkOptions,
  position: string,
  stopping: AbortSignal,
): Promise<boolean> {
  let from = position;
  for (;;) {
    const events = await undelivered(options, from, batch);
    if (events.length === 0) return from !== position;
    for (const { lines, last } of parts(events)) {
      if (stopping.aborted) return from !== position;
      await inTime(options.deliver(lines));
      await advance(options, last);
      from = last;
    }
  }
}

async function advance({ name, holder, store }: AuditSinkOptions, position: string): Promise<void> {
  if (!(await store.advance(name, holder, position, held)))
    throw new Error('another process has taken AUDIT_SINK over');
}

/** Rejects if a delivery takes too long: another process may hold the sink by then. */
async function inTime(delivered: Promise<void>): Promise<void> {
  const ended = new AbortController();
  const late = sleep(deadline, undefined, { signal: ended.signal, ref: false }).then(() => {
    throw new Error(`AUDIT_SINK has not taken events within ${deadline / 1000} seconds`);
  });
  await Promise.race([delivered, late]).finally(() => ended.abort());
}

/** Splits events into deliveries, each with its lines and the identifier of its last event. */
function parts(
  events: readonly RecordedEvent[],
): readonly { readonly lines: readonly string[]; readonly last: string }[] {
  const made: { lines: string[]; bytes: number; last: string }[] = [];
  for (const event of events) {
    const line = lineOf(event);
    const bytes = Buffer.byteLength(line) + 1;
    const part = made.at(-1);
    if (part === undefined || part.bytes + bytes > maxBytes)
      made.push({ lines: [line], bytes, last: event.id });
    else {
      part.lines.push(line);
      part.bytes += bytes;
      part.last = event.id;
    }
  }
  return made;
}

function lineOf({ at, ...event }: RecordedEvent): string {
  return JSON.stringify({ ...event, at: new Date(at).toISOString() });
}
