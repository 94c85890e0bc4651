import { isDeepStrictEqual } from 'node:util';

/** Names of the metadata that differ; what they were and are may be long, and stays in the registration. */
export function changedMembers(
  before: object | undefined,
  after: object | undefined,
): readonly string[] {
  const [old, now] = [new Map(Object.entries(before ?? {})), new Map(Object.entries(after ?? {}))];
  const names = [...new Set([...old.keys(), ...now.keys()])].filter(
    (name) => !isDeepStrictEqual(old.get(name), now.get(name)),
  );
  return names.map((name) => (name === 'clientSecrets' ? 'client_secret' : name));
}
