import { randomInt } from 'node:crypto';
import { testKey } from '../test/support/keys.ts';
import type { Asker } from './ask.ts';
import { registerAll } from './registration.ts';
import { type Actor, askForToken, type Held, type PreparedRequest } from './token-requests.ts';

/** What the clients remember. */
export interface Memory {
  readonly actors: readonly Actor[];
  /** Requests that can be repeated. */
  readonly sent: PreparedRequest[];
  readonly held: Held[];
  /** Tokens that were withdrawn, by themselves or with their client or key. */
  readonly withdrawn: Held[];
  readonly registered: string[];
}

/** Creates and registers the initial clients. */
export async function begin(asker: Asker): Promise<Memory> {
  const actors: Actor[] = [];
  for (let index = 0; index < 6; index++)
    actors.push({ client: `basic-${index}`, key: await testKey() });
  for (let index = 0; index < 4; index++)
    actors.push({ client: `signer-${index}`, key: await testKey(), signs: true });
  const [, , , , , , first, second] = actors;
  for (const shares of [first, second])
    if (shares !== undefined)
      actors.push({ client: `with-${shares.client}`, key: await testKey(), shares });
  await registerAll(asker, actors);
  return {
    actors,
    sent: [],
    held: [],
    withdrawn: [],
    registered: actors.map(({ client }) => client),
  };
}

/** A random element, more often a late one. */
export function anyOf<T>(items: readonly T[]): T | undefined {
  const all = items.length;
  if (all === 0) return undefined;
  return items[randomInt(3) === 0 ? randomInt(all) : all - 1 - randomInt(Math.min(all, 50))];
}

/** Sends a request and remembers it with its token. */
export async function ask(
  asker: Asker,
  memory: Memory,
  prepared: PreparedRequest,
): Promise<Held | undefined> {
  memory.sent.push(prepared);
  const { held } = await askForToken(asker, prepared);
  if (held !== undefined) memory.held.push(held);
  return held;
}
