for (let k = 0; k < 60; k++) { let x = []; for (let i = 0; i < 1e5; i++) x.push({ i }); }
console.log('ok')