import { setTimeout as sleep } from 'node:timers/promises';
import { defined } from '../domain/defined.ts';
import { adminApi } from './admin-api.ts';
import { type Item, onePage } from './admin-pages.ts';
import { CommandError, exitCodes, usageError } from './exit-codes.ts';
import type { AdminOptions } from './keys.ts';
import { printable, printJson, type Terminal, textOf } from './terminal.ts';

export interface TailOptions extends AdminOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly type?: string;
  readonly clientId?: string;
}

/** Milliseconds between two questions, and how far back it begins. */
const [askEvery, lookBack] = [2000, 3_600_000];

/**
 * Prints audit events, oldest first. With `follow` until the process ends: an outage of the server
 * is waited out, and the cursor makes sure that no event is missed or shown twice.
 */
export async function tailAudit(terminal: Terminal, options: TailOptions): Promise<void> {
  const { since, type, clientId, follow = false } = options;
  if (since !== undefined && Number.isNaN(Date.parse(since)))
    throw usageError('--since takes a time such as 2026-11-24T09:00:00Z.');
  const api = await adminApi(terminal, options.adminUrl);
  const query = {
    since: new Date(since ?? terminal.clock() - lookBack).toISOString(),
    ...defined({ type, client_id: clientId, follow: follow ? 'true' : undefined }),
  };
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

function print(terminal: Terminal, event: Item, { json }: AdminOptions): void {
  if (json === true) {
    printJson(terminal, event);
    return;
  }
  const { at, type, actor, id: _id, ...rest } = event;
  const more = Object.entries(rest).map(([name, value]) => `${name}=${textOf(value)}`);
  terminal.stdout.write(`${[at, type, actor, ...more].map(String).map(printable).join(' ')}\n`);
}
