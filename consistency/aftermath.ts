import { setTimeout as sleep } from 'node:timers/promises';
import type { Asker } from './ask.ts';
import type { Memory } from './memory.ts';
import { lookUp } from './registration.ts';
import { fetchJwks } from './signing-key-requests.ts';
import { askForToken, introspect } from './token-requests.ts';

/** The maximum number of requests of one kind. */
const most = 1500;

/** After the last fault, reads registrations, introspects withdrawn tokens and repeats proofs. */
export async function aftermath(
  asker: Asker,
  { registered, withdrawn, sent }: Memory,
): Promise<void> {
  while ((await asker.get('/health/ready')).status !== 200) await sleep(100);
  const requests = [
    ...registered.slice(-most).map((client) => () => lookUp(asker, client)),
    ...withdrawn.slice(-most).map((held) => () => introspect(asker, held)),
    ...sent.slice(-most).map((prepared) => () => askForToken(asker, prepared)),
    ...Array.from({ length: 6 }, () => () => fetchJwks(asker)),
  ];
  const worker = async () => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) await next();
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
