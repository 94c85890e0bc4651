import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Milliseconds between two checks of the files. */
const lookEvery = 500;

/** Checks after which the content is compared even if the files look unchanged. */
const readEvery = 120;

/** The files to watch, and the callback for changes. */
export interface WatchedFiles {
  readonly paths: readonly string[];
  /** Called when the content of a file has changed and is no longer being written. */
  readonly onChange: () => void;
}

/**
 * Polls files, through links, and reports new content; returns a function that stops it. The
 * system's own notifications cover one folder or file, and miss a link that is switched elsewhere
 * on the path.
 */
export function watchFiles({ paths, onChange }: WatchedFiles): () => void {
  let known = contentOf(paths);
  let [seen, settled] = ['', ''];
  let looks = 0;
  let looking = false;
  const look = async () => {
    const state = await stateOf(paths);
    // A missing or still changing file is being replaced.
    const quiet = state !== undefined && state === seen;
    seen = state ?? '';
    looks += 1;
    if (!quiet || (state === settled && looks % readEvery !== 0)) return;
    const content = contentOf(paths);
    if (content === undefined) return;
    settled = state;
    if (content === known) return;
    known = content;
    onChange();
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, lookEvery);
  timer.unref();
  return () => clearInterval(timer);
}

/** The system's metadata of the files behind the paths; undefined while one is missing. */
async function stateOf(paths: readonly string[]): Promise<string | undefined> {
  try {
    const states = await Promise.all(paths.map(async (path) => stat(path, { bigint: true })));
    return states
      .map(({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join())
      .join(' ');
  } catch {
    return undefined;
  }
}

/** A digest of all content; undefined while a file cannot be read. */
function contentOf(paths: readonly string[]): string | undefined {
  const digest = createHash('sha256');
  try {
    for (const path of paths) {
      const content = readFileSync(path);
      digest.update(`${content.length} `).update(content);
    }
    return digest.digest('base64url');
  } catch {
    return undefined;
  }
}
