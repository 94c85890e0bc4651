/** A bounded memory, in which what is used stays. */
export interface Generations<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/**
 * Two plain Maps, for resource servers use this file too, without other libraries: when a generation is full, those of the one before that were
 * not met again are forgotten. Two generations are the most that is held.
 * @param max entries of a generation
 */
export function generations<Value>(max: number): Generations<Value> {
  let [now, before] = [new Map<string, Value>(), new Map<string, Value>()];
  const set = (key: string, value: Value) => {
    if (now.size >= max) [now, before] = [new Map(), now];
    now.set(key, value);
  };
  return {
    get(key) {
      const known = now.get(key);
      if (known !== undefined) return known;
      const older = before.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
  };
}
