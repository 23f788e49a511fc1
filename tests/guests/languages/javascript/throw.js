console.log('before');
throw new Error('broken')
