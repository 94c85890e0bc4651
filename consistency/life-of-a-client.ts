import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomJti, testKey } from '../test/support/keys.ts';
import type { Asker } from './ask.ts';
import { ask, type Memory } from './memory.ts';
import { change, lookUp, register } from './registration.ts';
import { type Held, introspect, prepare } from './token-requests.ts';

/** Registers a client, obtains tokens, withdraws them in a random way, and goes on asking. */
export async function lifeOfAClient(asker: Asker, memory: Memory): Promise<void> {
  const actor = { client: `life-${randomJti()}`, key: await testKey(), signs: randomInt(3) === 0 };
  const { client, key } = actor;
  const { status } = await register(asker, actor);
  if (status === 201) memory.registered.push(client);
  const tokens = await Promise.all(
    Array.from({ length: 3 }, async () => ask(asker, memory, await prepare(actor))),
  );
  const held = tokens.filter((token): token is Held => token !== undefined);
  memory.withdrawn.push(...held);
  /** For two seconds, requests tokens, introspects old ones and reads the registration. */
  const goOn = async () => {
    for (let round = 0; round < 5; round++) {
      await sleep(400);
      const [token] = held;
      await Promise.all([
        prepare(actor).then((prepared) => ask(asker, memory, prepared)),
        lookUp(asker, client),
        token === undefined ? undefined : introspect(asker, token),
      ]);
    }
  };
  const ways = [
    () => change(asker, 'revoke_client_tokens', client),
    async () => {
      const { body: _, ...times } = await asker.admin('DELETE', `keys/${key.jkt}/tokens`);
      asker.record({ op: 'revoke_key_tokens', ...times, jkt: key.jkt });
    },
    () => change(asker, 'disable', client),
    async () => {
      await change(asker, 'disable', client);
      await sleep(500);
      await change(asker, 'enable', client);
      await goOn();
      await change(asker, 'disable', client);
    },
    () => change(asker, 'delete', client),
  ];
  await ways[randomInt(ways.length)]?.();
  await goOn();
}
