import { randomInt } from 'node:crypto';
import type { Clock } from '../../domain/clock.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { StatusEntry, StatusListStore } from '../../ports/status-list-store.ts';

/** Indexes that a process reserves at a time, so that one statement serves many tokens. */
const blockSize = 1024;

/** Seconds after which a process gives up the rest of a block, so that old lists can expire. */
const blockLife = 3600;

interface Block {
  readonly list: string;
  readonly kid: string;
  readonly until: number;
  readonly indexes: number[];
}

/** `tokenLifetime` in seconds; no token lives longer. */
export interface StatusEntriesOptions {
  readonly store: Pick<StatusListStore, 'reserve'>;
  readonly clock: Clock;
  readonly tokenLifetime: number;
}

/** A fresh entry for a token signed by this key; undefined: no list. Throws StoreUnavailable. */
export type NextStatusEntry = (
  resourceServer: ResourceServer,
  kid: string,
) => Promise<StatusEntry | undefined>;

/** Hands out a block's entries in random order, so an index reveals no time and no token count. */
export function statusEntries({
  store,
  clock,
  tokenLifetime,
}: StatusEntriesOptions): NextStatusEntry {
  const blocks = new Map<string, Block>();
  const underWay = new Map<string, Promise<void>>();
  const seconds = () => Math.floor(clock() / 1000);
  const reserve = async (id: string, kid: string) => {
    const until = seconds() + blockLife;
    const { list, first } = await store.reserve(id, kid, blockSize, until + tokenLifetime);
    blocks.set(id, {
      list,
      kid,
      until,
      indexes: shuffled(Array.from({ length: blockSize }, (_, index) => first + index)),
    });
  };
  return async ({ id, status_list_enabled }, kid) => {
    if (status_list_enabled !== true) return undefined;
    for (;;) {
      const block = blocks.get(id);
      const idx =
        block !== undefined && block.kid === kid && block.until > seconds()
          ? block.indexes.pop()
          : undefined;
      if (block !== undefined && idx !== undefined) return { list: block.list, idx };
      const running = underWay.get(id) ?? reserve(id, kid).finally(() => underWay.delete(id));
      underWay.set(id, running);
      await running;
    }
  };
}

function shuffled(items: number[]): number[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    [items[last], items[other]] = [items[other] as number, items[last] as number];
  }
  return items;
}
