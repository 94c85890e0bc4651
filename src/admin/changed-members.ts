import { isDeepStrictEqual } from 'node:util';

/** Members named differently in the registration. */
const shownAs: Readonly<Record<string, string>> = {
  clientSecrets: 'client_secret',
  secret_in_either_place: 'token_endpoint_auth_method',
};

/** The names of the members that differ; their values stay in the registration. */
export function changedMembers(
  before: object | undefined,
  after: object | undefined,
): readonly string[] {
  const [old, now] = [new Map(Object.entries(before ?? {})), new Map(Object.entries(after ?? {}))];
  const names = [...new Set([...old.keys(), ...now.keys()])].filter(
    (name) => !isDeepStrictEqual(old.get(name), now.get(name)),
  );
  return [...new Set(names.map((name) => shownAs[name] ?? name))];
}
