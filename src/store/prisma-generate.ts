console.log('generate placeholder', process.version);
