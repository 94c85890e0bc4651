import { setTimeout as sleep } from 'node:timers/promises';

/** A version of the server, and the environment that it is started with. */
export interface Version {
  /** URL of its main module. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Microseconds of CPU time of this process so far. */
export interface CpuTime {
  readonly cpu: number;
}

// Two versions in one process, so that they share the processor, the memory and the heap; loaded in
// turns, they differ by their work alone.
const { VERSIONS = '[]' } = process.env;
const own = ['PATH', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'];
for (const { main, env } of JSON.parse(VERSIONS) as readonly Version[]) {
  for (const name of Object.keys(process.env)) if (!own.includes(name)) delete process.env[name];
  Object.assign(process.env, env);
  await import(main);
  while (!(await isReady(env['PORT']))) await sleep(20);
}
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: user + system } satisfies CpuTime);
});
process.send?.({});

async function isReady(port: string | undefined): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
  return answer?.status === 200;
}
