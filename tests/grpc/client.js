// client.js ADDRESS WHAT [COUNT]: makes the calls and prints what came of them as JSON.
const { grpc, greet } = require('./common.js');

const [, , address, what, count = '1'] = process.argv;
const client = new greet.Greeter(address, grpc.credentials.createInsecure());

const unary = (method, ask, options = {}, hold = () => {}) => new Promise((done) => {
  let trailers = {};
  const call = client[method](ask, new grpc.Metadata(), options, (error, told) =>
    done(error ? { code: error.code, details: error.details } : { code: 0, ...told, trailers: () => trailers }));
  call.on('status', (status) => { trailers = status.metadata.getMap(); });
  hold(call);
});

const streamed = (call) => new Promise((done) => {
  const got = [];
  call.on('data', (told) => got.push(told.text.trim()));
  call.on('error', () => {});
  call.on('status', (status) => done({ code: status.code, got }));
});

const programs = {
  async hello() {
    const servers = {};
    const failures = [];
    for (let i = 0; i < Number(count); i++) {
      const told = await unary('Hello', { name: 'ann' });
      if (told.code) failures.push(told);
      else servers[told.server] = (servers[told.server] || 0) + 1;
    }
    return { servers, failures };
  },
  async trailers() {
    const told = await unary('Hello', { name: 'ann' });
    await new Promise(setImmediate);
    return { text: told.text, trailers: told.trailers() };
  },
  fail: () => unary('Fail', {}),
  count: () => streamed(client.Count({ count: Number(count) })),
  gather: () => new Promise((done) => {
    const call = client.Gather((error, told) => done(error ? { code: error.code } : { code: 0, text: told.text }));
    for (let i = 0; i < Number(count); i++) call.write({ name: 'x'.repeat(1000) });
    call.end();
  }),
  chat() {
    const call = client.Chat();
    let sent = 0;
    const next = () => (sent < Number(count) ? call.write({ name: String(++sent) }) : call.end());
    call.on('data', next); // each waits for the answer to the one before
    next();
    return streamed(call);
  },
  deadline: () => unary('Slow', {}, { deadline: Date.now() + 5000 }),
  cancel: () => unary('Slow', {}, {}, (call) => process.stdin.once('data', () => call.cancel()).unref()),
};

programs[what]().then((result) => {
  process.stdout.write(JSON.stringify(result) + '\n');
  client.close();
});
