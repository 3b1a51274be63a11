const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const load = (file) => grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, file), { enums: String }));

module.exports = { grpc, greet: load('greet.proto').greet, health: load('health.proto').grpc.health.v1 };
