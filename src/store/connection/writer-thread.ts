import { Worker } from 'node:worker_threads';

/** A thread that answers requests one after another. */
export interface Thread<Request, Answer> {
  /** Throws the thread's error, or why it stopped; then nobody knows whether it did the request. */
  ask(request: Request): Promise<Answer>;
  /** Stops the thread after all earlier requests. */
  close(): Promise<void>;
}

/** The reply of a thread. */
export type ThreadReply<Answer> = { readonly answer: Answer } | { readonly fault: string };

/** The memory of the thread in MiB; it holds one batch at a time. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 2 };

/**
 * Starts the module at this path in a thread, which keeps the process alive only while a request is
 * pending. `onEnd` is called if it stops unexpectedly.
 */
export function startWriterThread<Request, Answer>(
  module: string,
  workerData: unknown,
  onEnd: (error: Error) => void,
): Thread<Request, Answer> {
  // Options of this process, such as preloaded modules, are not meant for the thread.
  const worker = new Worker(module, { workerData, execArgv: [], resourceLimits });
  const waiting: PromiseWithResolvers<Answer>[] = [];
  let closing = false;
  let over = false;
  let reason: Error | undefined;
  worker.on('message', (reply: ThreadReply<Answer>) => {
    const asked = waiting.shift();
    if ('answer' in reply) asked?.resolve(reply.answer);
    else asked?.reject(new Error(reply.fault));
    if (waiting.length === 0) worker.unref();
  });
  worker.on('error', (error: Error) => (reason = error));
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      over = true;
      const error = reason ?? new Error(`a thread ended with ${code}`);
      for (const asked of waiting.splice(0)) asked.reject(error);
      if (!closing) onEnd(error);
      resolve();
    });
  });
  worker.unref();
  return {
    async ask(request) {
      if (closing || over) throw new Error('the writer thread is closed');
      const asked = Promise.withResolvers<Answer>();
      waiting.push(asked);
      worker.ref();
      worker.postMessage(request);
      return asked.promise;
    },
    async close() {
      closing = true;
      if (over) return;
      worker.ref();
      worker.postMessage('close');
      await ended;
    },
  };
}
