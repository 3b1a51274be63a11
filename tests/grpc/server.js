// server.js NAME: prints its port, then what happens; a line on its stdin is an order.
const readline = require('readline');
const { grpc, greet, health } = require('./common.js');

const name = process.argv[2];
const server = new grpc.Server();
let serving = 'SERVING';
const say = (text) => process.stdout.write(text + '\n');

server.addService(greet.Greeter.service, {
  Hello: (call, done) => {
    const trailers = new grpc.Metadata();
    trailers.set('x-server', name);
    done(null, { text: 'hello ' + call.request.name, server: name }, trailers);
  },
  Slow: (call) => {
    say('slow begun, deadline ' + (call.getDeadline() === Infinity ? 'none' : 'set'));
    call.on('cancelled', () => say('slow cancelled'));
  },
  Fail: (call, done) => done({ code: grpc.status.FAILED_PRECONDITION, details: 'not today: 50 %' }),
  Count: (call) => {
    for (let i = 1; i <= call.request.count; i++) call.write({ text: String(i).padStart(1000), server: name });
    call.end();
  },
  Gather: (call, done) => {
    let count = 0;
    call.on('data', () => { count++; });
    call.on('end', () => done(null, { text: String(count), server: name }));
  },
  Chat: (call) => {
    call.on('data', (ask) => call.write({ text: ask.name, server: name }));
    call.on('end', () => call.end());
  },
});
server.addService(health.Health.service, {
  Check: (call, done) => {
    say('checked ' + call.request.service);
    if (serving === 'UNKNOWN_SERVICE') done({ code: grpc.status.NOT_FOUND, details: 'no such service' });
    else done(null, { status: serving });
  },
});

readline.createInterface({ input: process.stdin }).on('line', (order) => {
  if (order === 'leave') server.tryShutdown(() => { say('left'); process.exit(0); });
  else { serving = order; say('now ' + order); }
}).on('close', () => process.exit(0));

server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  say('port ' + port);
});
