import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asker } from './ask.ts';
import { lifeOfAClient } from './life-of-a-client.ts';
import { anyOf, ask, type Memory } from './memory.ts';
import { lookUp } from './registration.ts';
import { fetchJwks, revokeActiveKey, rotate } from './signing-key-requests.ts';
import {
  type Actor,
  askForToken,
  assertionOf,
  giveBack,
  introspect,
  prepare,
  proofWith,
} from './token-requests.ts';

type Action = (asker: Asker, memory: Memory) => Promise<unknown>;

/** The operations of the clients with their relative frequency. */
const actions: readonly (readonly [number, Action])[] = [
  [30, async (asker, memory) => ask(asker, memory, await prepare(actorOf(memory)))],
  [14, replay],
  [8, reuseParts],
  [4, parallelDuplicates],
  [24, lookAtToken],
  [4, withdrawToken],
  [4, async (asker, memory) => lookUp(asker, anyOf(memory.registered) ?? '')],
  [3, lifeOfAClient],
];

const actorOf = ({ actors }: Memory) => actors[randomInt(actors.length)] as Actor;

/** Repeats a whole request. */
async function replay(asker: Asker, memory: Memory): Promise<void> {
  const earlier = anyOf(memory.sent);
  if (earlier !== undefined) await askForToken(asker, earlier);
}

/** Reuses one part of an earlier request. */
async function reuseParts(asker: Asker, memory: Memory): Promise<void> {
  const { actor, proof, assertion, cnfProof } = anyOf(memory.sent) ?? {};
  if (actor === undefined) return;
  const parts = [proof && { proof }, assertion && { assertion }, cnfProof && { cnfProof }].filter(
    (part) => part !== undefined,
  );
  await ask(asker, memory, await prepare(actor, parts[randomInt(parts.length)]));
}

/** Sends one request many times in parallel; sometimes they share only one part. */
async function parallelDuplicates(asker: Asker, memory: Memory): Promise<void> {
  const original = await prepare(actorOf(memory));
  const { actor, proof, assertion, cnfProof } = original;
  const same = [original, { proof }, assertion && { assertion }, cnfProof && { cnfProof }].filter(
    (part) => part !== undefined,
  );
  const shared = same[randomInt(same.length)];
  const copies = await Promise.all(Array.from({ length: 6 }, () => prepare(actor, shared)));
  await Promise.all(copies.map((copy) => ask(asker, memory, copy)));
}

/** Introspects withdrawn or live tokens, half of them with a proof, which is sent twice. */
async function lookAtToken(asker: Asker, memory: Memory): Promise<void> {
  const held = randomInt(2) === 0 ? anyOf(memory.withdrawn) : anyOf(memory.held);
  if (held === undefined) return;
  const proof = randomInt(2) === 0 ? await proofWith(held) : undefined;
  await Promise.all(
    Array.from({ length: proof === undefined ? 1 : 2 }, () => introspect(asker, held, proof)),
  );
}

/** Withdraws a token, by the client or by the operator. */
async function withdrawToken(asker: Asker, memory: Memory): Promise<void> {
  const held = anyOf(memory.held);
  if (held === undefined) return;
  memory.withdrawn.push(held);
  if (randomInt(2) === 0) {
    const assertion = held.actor.signs === true ? await assertionOf(held.actor) : undefined;
    await Promise.all(
      Array.from({ length: assertion === undefined ? 1 : 2 }, () =>
        giveBack(asker, held, assertion),
      ),
    );
    return;
  }
  const { body: _, ...times } = await asker.admin('DELETE', `tokens/${held.jti}`);
  asker.record({ op: 'revoke_token', ...times, jti: held.jti, uses: [] });
}

/** Runs clients, key changes and resource servers until `until`, in milliseconds of the run. */
export async function work(asker: Asker, memory: Memory, until: number): Promise<void> {
  const table = actions.flatMap(([times, action]) => Array.from({ length: times }, () => action));
  const repeat = async (pause: () => number, act: () => Promise<unknown>) => {
    while (asker.now() < until) {
      await act();
      await sleep(pause());
    }
  };
  let turn = 0;
  await Promise.all([
    ...Array.from({ length: 12 }, () =>
      repeat(
        () => 20 + randomInt(60),
        async () => table[randomInt(table.length)]?.(asker, memory),
      ),
    ),
    repeat(
      () => 200,
      () => fetchJwks(asker),
    ),
    // Alternates announced, immediate and forced rotations.
    repeat(
      () => 4000 + randomInt(4000),
      () => (turn++ % 4 === 3 ? revokeActiveKey(asker) : rotate(asker, turn % 4 === 2)),
    ),
  ]);
}
