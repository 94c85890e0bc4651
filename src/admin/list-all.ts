import type { Registry, Stored } from '../ports/registry.ts';

/** All registrations of a registry, or only those that a configuration created. */
export async function listAll<Value>(
  registry: Registry<Value>,
  idOf: (value: Value) => string,
  managed?: true,
): Promise<readonly Stored<Value>[]> {
  const found: Stored<Value>[] = [];
  for (;;) {
    const last = found.at(-1);
    const after = last === undefined ? '' : idOf(last.value);
    const page = await registry.list({ limit: 500, after, managed });
    found.push(...page);
    if (page.length < 500) return found;
  }
}
