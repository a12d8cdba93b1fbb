// graphile-worker with the settings of its own benchmark (worker.graphile.org/docs/performance, perfTest/).
process.env.NO_LOG_SUCCESS = '1'; // as there

const { makeWorkerUtils, run } = await import('graphile-worker');
const { note, touch } = await import('./probe.js');
const { atPace } = await import('./pace.js');

const BATCH = 5_000; // messages in one statement
const JOBS = 24;
const preset = {
  worker: {
    connectionString: process.env.DATABASE_URL,
    concurrentJobs: JOBS,
    maxPoolSize: JOBS + 1,
    localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

let made;
const utils = async () => (made ??= await makeWorkerUtils({ preset }));

export async function install() {
  await (await utils()).migrate();
}

export async function send(count) {
  const { addJob } = await utils();
  for (let number = 0; number < count; number += 1) await addJob('noop', { number });
}

export async function bulk(count) {
  const { addJobs } = await utils();
  for (let start = 0; start < count; start += BATCH) {
    const length = Math.min(BATCH, count - start);
    await addJobs(Array.from({ length }, (_, index) => ({ identifier: 'noop', payload: { number: start + index } })));
  }
}

export const fill = bulk;

export async function pace(count, perSecond) {
  const { addJob } = await utils();
  await atPace(count, perSecond, (sentAt) => addJob('note', { sentAt }));
}

export async function work() {
  const taskList = { noop: () => touch(), note: ({ sentAt }) => note(sentAt) };
  await (await run({ preset, taskList, crontab: '' })).promise;
}
