import { describe } from 'vitest';
import { storeKinds, type TestStoreKind } from './stores.ts';

/** `describe`, skipped where there is no such store: a file must never be without a test. */
export const describeOn = (kind: TestStoreKind) =>
  storeKinds.includes(kind) ? describe : describe.skip;
