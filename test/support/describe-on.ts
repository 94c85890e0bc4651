import { describe } from 'vitest';
import { storeKinds, type TestStoreKind } from './stores.ts';

/** `describe`, skipped where this machine lacks that kind of store: a file must never be without a test. */
export const describeOn = (kind: TestStoreKind) => describe.skipIf(!storeKinds.includes(kind));
