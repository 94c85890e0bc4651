import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { RecordedEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import type { AuditSinkStore } from '../ports/audit-sink-store.ts';
import type { AuditLog } from '../ports/audit-trail.ts';
import { followDelay } from '../ports/audit-trail.ts';

/** Delivers lines of JSON, one an event; resolves once they are safe. */
export type DeliverEvents = (lines: readonly string[]) => Promise<void>;

/** What a sink stands on. */
export interface AuditSinkOptions {
  /** Names the sink in the store. */
  readonly name: string;
  /** Names this process; random. */
  readonly holder: string;
  readonly store: AuditSinkStore;
  readonly log: AuditLog;
  readonly clock: Clock;
  readonly deliver: DeliverEvents;
  readonly logger: Logger;
}

/** An audit sink at work. */
export interface AuditSink {
  /** Seconds since the oldest event that could be delivered and is not; 0 if there is none. */
  lag(): Promise<number>;
  /** Waits for the batch under way. */
  stop(): Promise<void>;
}

/** Events a batch. */
const batch = 500;

/** Milliseconds for which a process has the sink; longer than any delivery takes. */
const held = 20_000;

/** Milliseconds between two looks, for the process that has the sink and for the others. */
const [lookEvery, askEvery] = [1000, 5000];

/** Milliseconds between two tries, doubled by every further failure. */
const [firstPause, longestPause] = [1000, 60_000];

/**
 * Follows the audit trail and delivers each event at least once, in the order of the identifiers:
 * the position moves on only after the delivery. Of all processes one does it at a time; another
 * goes on from the position when that one ends or fails. An event is delivered a minute after it
 * happened, since an earlier one may be written until then.
 */
export function followAuditTrail(options: AuditSinkOptions): AuditSink {
  const { name, holder, store, logger } = options;
  const stopping = new AbortController();
  const pause = async (milliseconds: number) =>
    sleep(milliseconds, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
  let failures = 0;
  const round = async (): Promise<number> => {
    try {
      const position = await store.hold(name, holder, held);
      if (position === undefined) return askEvery;
      await deliverFrom(options, position, stopping.signal);
      if (failures > 0) logger.info('audit events are delivered again');
      failures = 0;
      return lookEvery;
    } catch (err) {
      if (failures++ === 0) logger.error({ err }, 'audit events are not delivered; tried again');
      // Another process may reach what this one does not.
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
      const [oldest] = await undelivered(options, await store.positionOf(name), 1);
      return oldest === undefined ? 0 : Math.max(options.clock() - oldest.at, 0) / 1000;
    },
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

async function undelivered(
  { log, clock }: Pick<AuditSinkOptions, 'log' | 'clock'>,
  position: string,
  limit: number,
): Promise<readonly RecordedEvent[]> {
  return log.list({
    limit,
    until: clock() - followDelay,
    ...(position !== '' && { after: position }),
  });
}

async function deliverFrom(
  options: AuditSinkOptions,
  position: string,
  stopping: AbortSignal,
): Promise<void> {
  const { name, holder, store, deliver } = options;
  let from: string | undefined = position;
  while (from !== undefined && !stopping.aborted) {
    const events = await undelivered(options, from, batch);
    const last = events.at(-1);
    if (last === undefined) return;
    await deliver(events.map(lineOf));
    if (!(await store.advance(name, holder, last.id))) return;
    from = await store.hold(name, holder, held);
  }
}

function lineOf({ at, ...event }: RecordedEvent): string {
  return JSON.stringify({ ...event, at: new Date(at).toISOString() });
}
