import { setTimeout as sleep } from 'node:timers/promises';
import { nearestOf } from '../admin/schema-fault.ts';
import { auditEventChapters } from '../domain/audit-event-types.ts';
import { defined } from '../domain/defined.ts';
import { adminApi } from './admin-api.ts';
import { type Item, onePage } from './admin-pages.ts';
import { CommandError, exitCodes, usageError } from './exit-codes.ts';
import type { AdminOptions } from './keys.ts';
import { endWithReader, printable, printJson, type Terminal, textOf } from './terminal.ts';
import { sinceOf } from './times.ts';

export interface TailOptions extends AdminOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly type?: string;
  readonly clientId?: string;
}

/** Milliseconds between requests, and how far back it begins. */
const [askEvery, lookBack] = [2000, 3_600_000];

/**
 * Prints audit events, oldest first. `follow` runs until the process ends: outages are waited out,
 * and the cursor ensures that no event is missed or repeated.
 */
export async function tailAudit(terminal: Terminal, options: TailOptions): Promise<void> {
  const { since, type, clientId, follow = false } = options;
  const now = terminal.clock();
  const from = since === undefined ? new Date(now - lookBack) : sinceOf(since, now);
  if (type !== undefined) requireKnownType(type);
  const api = await adminApi(terminal, options.adminUrl);
  const query = {
    since: from.toISOString(),
    ...defined({ type, client_id: clientId, follow: follow ? 'true' : undefined }),
  };
  endWithReader(terminal);
  let cursor: string | undefined;
  let answered = false;
  for (;;) {
    try {
      const page = await onePage(api, ['audit-events'], { ...query, ...(cursor && { cursor }) });
      for (const event of page.items) print(terminal, event, options);
      answered = true;
      const isEnd = page.next_cursor === null || page.items.length === 0;
      cursor = page.next_cursor ?? cursor;
      if (!follow && isEnd) return;
      if (!isEnd) continue;
    } catch (error) {
      const away = error instanceof CommandError && error.exitCode === exitCodes.unreachable;
      if (!follow || !answered || !away) throw error;
      terminal.stderr.write(`holdfast: ${error.message}\n`);
    }
    await sleep(askEvery);
  }
}

function requireKnownType(type: string): void {
  const types = Object.values(auditEventChapters).flatMap((chapter) => Object.keys(chapter));
  if (types.includes(type)) return;
  const nearest = nearestOf(type, types);
  const advice =
    nearest === undefined
      ? 'docs/reference/audit-events.md lists the types.'
      : `The nearest known type is ${nearest}.`;
  throw usageError(`There is no event of the type ${JSON.stringify(type)}. ${advice}`);
}

function print(terminal: Terminal, event: Item, { json }: AdminOptions): void {
  if (json === true) {
    printJson(terminal, event);
    return;
  }
  const { at, type, actor, id: _id, ...rest } = event;
  const more = Object.entries(rest).map(([name, value]) => `${name}=${textOf(value)}`);
  terminal.stdout.write(`${[at, type, actor, ...more].map(String).map(printable).join(' ')}\n`);
}
